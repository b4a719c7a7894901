"""Training: one loop for every model, that loses nothing when it is interrupted.

`trainer.fit` plays a model's stages, `options.Options` says how, `run_folder.RunFolder` is where a run lives.
Nothing is imported here: the command line looks at run folders before it loads torch.
"""
