"""The table of classical codecs: ratio, PSNR and SSIM beside JPEG and WebP at the same bytes; speed beside FAISS.

python bench/codec_table.py --train FOLDER --test FOLDER [--quick] [--out FILE]

Errors are true ones of rounded pictures; `unveil.tasks.codec_quality.CONVENTIONS` says what each figure is. Encoding and
decoding are measured from file to file: PNG files in, and PNG or PPM files out; the goals are half of what two cores should
do, for each core. "Codes" are measured beside FAISS with the same codebooks, from vectors in memory to codes in memory and
back. FAISS's rotation is that of its own 50 rounds, with codebooks fitted anew to what it gives.
"""

import shutil
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import faiss
import measuring
import numpy as np
import torch
from measuring import Bench

from unveil.codecs import Codec, Layout, Quantizer, fit_codec, load_codec, save_codec
from unveil.codecs.fitting import draw_patches, fit_quantizer
from unveil.data import load_image
from unveil.tasks.codec import decode, encode
from unveil.tasks.codec_quality import PEERS, evaluate

NAMES = ("VQ-8-8-8", "PQ-32-8-8", "OPQ-32-8-8", "RQ-32-8-8")
OPQ = "OPQ-32-8-8"
KEYS = {"JPEG": ("psnr", "luma-psnr", "ssim", "ssim-uniform"), "WEBP": ("psnr", "ssim")}
PATCHES, QUICK_PATCHES = 200_000, 20_000


def pictures(folder: Path, most: int | None) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".tif", ".ppm"))
    return files[:most]


def fit(files: list[Path], name: str, patches: int) -> Codec:
    return fit_codec([load_image(path, 3) for path in files], name, patches=patches)


def table(bench: Bench, codecs: dict[str, Codec], test: list[Path]) -> None:
    """Ratio, PSNR and SSIM of every codec, its codes left as they are and compressed, beside its peers at the same bytes."""
    found: dict[str, float] = {}
    for name, codec in codecs.items():
        if not bench.wants(name):
            continue
        for compress in (False, True):
            peers = PEERS if name == OPQ else PEERS[:1]  # WebP takes its time
            ours, *theirs = evaluate(test, codec, compress=compress, peers=peers)
            what = f"{name}{', codes compressed' if compress else ''}"
            bench.figure(f"{what}, ratio", ours.figures["ratio"].value, "bytes/bytes", f">= {0.98 * codec.ratio:.1f}")
            if not compress:
                found[name] = ours.figures["psnr"].value
            for peer, quality in zip(peers, theirs, strict=True):
                for key in KEYS[peer]:
                    mine, other = ours.figures[key], quality.figures[key]
                    bench.figure(
                        f"{what}, {key}", mine.value, mine.unit, ">= 1", peer=other.value,
                        peer_name=f"{peer} at no more bytes" + (f" ({quality.above} larger)" if quality.above else ""),
                    )  # fmt: skip
    names = [name for name in NAMES if name in found]
    for worse, better in pairwise(names):
        bench.figure(f"{better} above {worse}, psnr", found[better] - found[worse], "dB", "> 0.2")


def files(bench: Bench, codecs: dict[str, Codec], test: list[Path]) -> None:
    """Megapixels a second from files to files."""
    megapixels = sum(x.shape[1] * x.shape[2] for x in map(load_image, test)) / 1e6
    goals = {"encode": 1 * bench.threads, "decode": 10 * bench.threads}
    for name, codec in codecs.items():
        with tempfile.TemporaryDirectory() as folder:
            coded = Path(folder) / "coded"
            encode(test, coded, codec)
            work: dict[str, Callable[[], object]] = {
                f"{name}, encode PNG files": lambda c=codec, f=folder: encode(test, Path(f) / "again", c, force=True),
            }
            for suffix in (".ppm", ".png"):
                work[f"{name}, decode to {suffix[1:].upper()} files"] = lambda c=codec, f=folder, to=coded, s=suffix: (
                    decode([to], Path(f) / f"as-{s[1:]}", c, suffix=s, force=True)
                )
            wanted = {key: bench.timed(turn) for key, turn in work.items() if bench.wants(key)}
            times = bench.contest(wanted) if wanted else None
            for key in wanted:
                goal = goals["encode" if "encode" in key else "decode"]
                assert times is not None
                bench.figure(f"{key}, median", megapixels / times.median(key), f"MP/{bench.clock} s", f">= {goal}")
            shutil.rmtree(coded)


def raw_faiss(quantizer: Quantizer) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """FAISS's own encoder and decoder with the same codebooks."""
    count, size, width = quantizer.codebooks.shape
    length, bits = (width if quantizer.kind == "RQ" else width * count), size.bit_length() - 1
    books = quantizer.codebooks.numpy().ravel()
    if quantizer.kind == "RQ":
        residual = faiss.ResidualQuantizer(length, count, bits)
        faiss.copy_array_to_vector(books, residual.codebooks)
        residual.is_trained = True
        residual.compute_codebook_tables()
        return residual.compute_codes, residual.decode
    product = faiss.ProductQuantizer(length, count, bits)
    faiss.copy_array_to_vector(books, product.centroids)
    if quantizer.rotation is None:
        return product.compute_codes, product.decode
    turn = faiss.LinearTransform(length, length, False)
    faiss.copy_array_to_vector(quantizer.rotation.numpy().ravel(), turn.A)
    turn.is_orthonormal = turn.is_trained = True
    return (lambda x: product.compute_codes(turn.apply(x))), (
        lambda codes: turn.reverse_transform(product.decode(codes))
    )


def codes(bench: Bench, codecs: dict[str, Codec], x: torch.Tensor) -> None:
    """Vectors to codes and back beside FAISS, the Y of the test pictures."""
    for name, codec in codecs.items():
        quantizer = codec.quantizers[0]
        rows = x[: 4096 if codec.layout.kind == "RQ" and bench.quick else None]
        there, back = raw_faiss(quantizer)
        mine, theirs = quantizer.encode(rows), there(rows.numpy())
        same = float((mine == torch.from_numpy(theirs)).float().mean())
        print(f"{name}: {same:.5f} of the codes are those of FAISS", file=sys.stderr)
        for job, ours, peer in (
            ("encode", lambda q=quantizer, r=rows: q.encode(r), lambda f=there, r=rows: f(r.numpy())),
            ("decode", lambda q=quantizer, c=mine: q.decode(c), lambda f=back, c=theirs: f(c)),
        ):
            if bench.wants(f"{name}, {job} codes of Y"):
                times = bench.contest({"ours": bench.timed(ours), "faiss": bench.timed(peer)})
                megapixels = len(rows) * codec.patch**2 / 1e6
                times.report(
                    bench, f"{name}, {job} codes of Y", megapixels, f"MP/{bench.clock} s", "ours", "faiss",
                    f"faiss {faiss.__version__}", ">= 0.85",
                )  # fmt: skip


def rotations(bench: Bench, train: torch.Tensor, test: torch.Tensor) -> None:
    """The error of Y on pictures that were not fitted to, beside FAISS's own rotation."""
    if not bench.wants("rotation"):
        return
    begin = bench.now()
    layout = Layout("OPQ", (32, 8, 8))
    mine = fit_quantizer(train, layout, 4, torch.zeros(0), 0)
    ours = bench.now() - begin
    begin = bench.now()
    theirs = faiss.OPQMatrix(64, 4)
    theirs.niter = 5 if bench.quick else 50
    theirs.train(train.numpy())
    matrix = torch.from_numpy(faiss.vector_to_array(theirs.A).reshape(64, 64).copy())
    product = faiss.ProductQuantizer(64, 4, 8)
    turned = (train @ matrix.T).contiguous()
    product.cp.max_points_per_centroid = len(train)
    product.train(turned.numpy())
    peer = Quantizer(
        "OPQ", torch.from_numpy(faiss.vector_to_array(product.centroids).reshape(4, 256, 16).copy()), matrix
    )
    faiss_seconds = bench.now() - begin
    for what, x in (("fitted", train), ("other", test)):
        error, other = (float((x - q.decode(q.encode(x))).square().mean()) for q in (mine, peer))
        name = f"rotation, squared error of Y on {what} pictures"
        bench.figure(name, error, "of [-1, 1]", "< 1", peer=other, peer_name=f"faiss {faiss.__version__} OPQMatrix")
    name, unit = "rotation, time of fitting", f"{bench.clock} s"
    bench.figure(name, ours, unit, "<= 1", peer=faiss_seconds, peer_name=f"faiss {faiss.__version__} OPQMatrix")


def memory(bench: Bench, options: Namespace) -> None:
    """Time and the most memory of fitting, in a process of its own."""
    if not bench.wants("fit"):
        return
    begin = time.perf_counter()
    found = measuring.peak_of([__file__, "--fit", *sys.argv[1:]])
    assert found is not None
    bench.figure(f"{OPQ}, fit with all it loads, wall time", time.perf_counter() - begin, "s", "< 300")
    bench.figure(f"{OPQ}, fit, memory of the process", found["process"], "MB", "< 4096")


def main() -> None:
    parser = measuring.parser(__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, default=Path("../shared/data/mcm"), help="a folder of pictures to fit to")
    parser.add_argument("--test", type=Path, default=Path("../shared/data/kodak"), help="a folder of other pictures")
    parser.add_argument("--fit", action="store_true", help="only fit, and tell the memory it takes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    train = pictures(options.train, 4 if options.quick else None)
    patches = QUICK_PATCHES if options.quick else PATCHES
    if options.fit:
        print(measuring.peak_while(lambda: fit(train, OPQ, patches)))
        return
    bench = measuring.begin(options)
    test = pictures(options.test, 1 if options.quick else None)
    codecs = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            begin = bench.now()
            codec = fit(train, name, patches)
            print(f"{name} fitted in {bench.now() - begin:.0f} {bench.clock} s", file=sys.stderr)
            codecs[name] = load_codec(save_codec(codec, Path(folder) / f"{name}.safetensors"))
    table(bench, codecs, test)
    files(bench, codecs, test)
    layout = codecs[OPQ].layout
    rows = draw_patches([load_image(path, 3) for path in test], layout, 20_000 if options.quick else 100_000, 0)[0]
    codes(bench, codecs, rows)
    rotations(bench, draw_patches([load_image(path, 3) for path in train], layout, patches, 0)[0], rows)
    memory(bench, options)


if __name__ == "__main__":
    main()
