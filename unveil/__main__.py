"""`python -m unveil`, and so `torchrun ... -m unveil train ...`."""

from unveil.cli import main

if __name__ == "__main__":
    main()
