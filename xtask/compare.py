"""What `cargo xtask compare` runs in Python: `python compare.py WHAT ARGUMENTS...`.

A candidate gets ready, prints a line of JSON that says what it is, and then answers every line of its input with one
run: a line of JSON with the `seconds` that it took. So candidates are measured in turns, and no start is counted.
"""

import json
import os
import shutil
import subprocess
import sys
import time


def say(value):
    print(json.dumps(value), flush=True)


def serve(about, run):
    say({"about": about})
    for _ in sys.stdin:
        say(run())


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def random(n, dtype, seed):
    """An n x n matrix uniform in [0, 1), from a 2 MiB boundary on: pages of that size can hold it."""
    import numpy

    values = numpy.empty(n * n * numpy.dtype(dtype).itemsize + (1 << 21), numpy.uint8)
    start = -values.ctypes.data % (1 << 21)
    matrix = values[start : start + values.size - (1 << 21)].view(dtype).reshape(n, n)
    numpy.random.default_rng(seed).random(out=matrix, dtype=dtype)
    return matrix


def blas():
    import threadpoolctl

    return "; ".join(
        f"{x['internal_api']} {x['version']} {x.get('architecture', '')} {x['num_threads']} threads"
        for x in threadpoolctl.threadpool_info()
    )


def dot(n, dtype, threads):
    """NumPy's product in memory."""
    os.environ["OPENBLAS_NUM_THREADS"] = threads
    import numpy

    n = int(n)
    a, b, c = (random(n, dtype, seed) for seed in range(3))
    about = f"numpy {numpy.__version__}, {blas()}"
    serve(about, lambda: {"seconds": seconds(lambda: numpy.dot(a, b, out=c))})


def mkl(n, dtype, threads):
    """MKL's product in memory."""
    import ctypes
    import glob
    import importlib.metadata

    library = glob.glob(os.path.join(sys.prefix, "lib", "libmkl_rt.so*"))
    if not library:
        sys.exit(f"no libmkl_rt in {sys.prefix}/lib")
    blas = ctypes.CDLL(library[0])
    blas.MKL_Set_Num_Threads(int(threads))
    n = int(n)
    a, b, c = (random(n, dtype, seed) for seed in range(3))
    gemm, real = (blas.cblas_dgemm, ctypes.c_double) if dtype == "f8" else (blas.cblas_sgemm, ctypes.c_float)
    rows, plain, size, of = 101, 111, ctypes.c_int(n), lambda x: ctypes.c_void_p(x.ctypes.data)

    def run():
        # C = A B: rows first, nothing transposed.
        gemm(rows, plain, plain, size, size, size, real(1), of(a), size, of(b), size, real(0), of(c), size)

    serve(f"mkl {importlib.metadata.version('mkl')}, {threads} threads", lambda: {"seconds": seconds(run)})


def numpy_files(folder, threads):
    """Loads a.npy and b.npy, multiplies, saves c.npy."""
    os.environ["OPENBLAS_NUM_THREADS"] = threads
    import numpy

    def run():
        # A new file every time: to clear the one before takes the disk, not the product. So with all candidates.
        if os.path.exists(os.path.join(folder, "c.npy")):
            os.remove(os.path.join(folder, "c.npy"))
        start = time.perf_counter()
        a, b = (numpy.load(os.path.join(folder, name)) for name in ("a.npy", "b.npy"))
        c = numpy.dot(a, b)
        with open(os.path.join(folder, "c.npy"), "wb") as file:
            numpy.save(file, c)
            file.flush()
            unsynced = time.perf_counter() - start
            os.fsync(file.fileno())
        return {"seconds": time.perf_counter() - start, "unsynced_seconds": unsynced}

    serve(f"numpy {numpy.__version__}, {blas()}", run)


def dask_files(folder, chunk, threads):
    """The same with dask's threads on uncompressed zarr arrays, made of the .npy files before."""
    import dask

    def set_up():
        dask.config.set(scheduler="threads", num_workers=int(threads))

    on_zarr(folder, chunk, f"{threads} workers of 1 thread", set_up)


def dask_distributed(folder, chunk, workers):
    """The same with dask's processes, each a worker of one thread, and its scheduler between them."""
    import distributed

    def set_up():
        # It is what dask uses from then on.
        global client
        client = distributed.Client(
            n_workers=int(workers), threads_per_worker=1, processes=True, dashboard_address=None
        )

    on_zarr(folder, chunk, f"distributed {distributed.__version__}, {workers} processes of 1 thread", set_up)


def on_zarr(folder, chunk, what, set_up):
    """A product of zarr arrays by dask, as `set_up` says."""
    # One thread for each product of chunks: dask runs as many of them at once as there are threads.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import dask
    import dask.array
    import numpy
    import zarr

    at = lambda name: os.path.join(folder, name + ".zarr")

    def array(name, shape, dtype):
        chunks = tuple(min(int(chunk), side) for side in shape)
        return zarr.create_array(
            at(name), shape=shape, chunks=chunks, dtype=dtype, compressors=None, overwrite=True
        )

    for name in ("a", "b"):
        values = numpy.load(os.path.join(folder, name + ".npy"))
        array(name, values.shape, values.dtype)[...] = values
    del values
    set_up()

    def run():
        shutil.rmtree(at("c"), ignore_errors=True)
        start = time.perf_counter()
        a, b = (dask.array.from_zarr(at(name)) for name in ("a", "b"))
        c = a @ b
        c.to_zarr(array("c", c.shape, c.dtype))
        unsynced = time.perf_counter() - start
        for path, _, names in os.walk(at("c")):
            for name in names:
                with open(os.path.join(path, name), "rb") as file:
                    os.fsync(file.fileno())
        return {"seconds": unsynced, "synced_seconds": time.perf_counter() - start}

    serve(f"dask {dask.__version__}, zarr {zarr.__version__}, {what}, chunks of {chunk}", run)


def agree(*paths):
    """Whether products of elements in [0, 1), in .npy files and zarr arrays, are the same within rounding."""
    import numpy
    import zarr

    load = lambda path: numpy.load(path, mmap_mode="r") if path.endswith(".npy") else zarr.open(path, mode="r")
    products = [load(path) for path in paths]
    if len(products) < 2:
        sys.exit(f"cannot compare {len(products)} products: at least 2 are needed")
    if len({product.shape for product in products}) > 1:
        sys.exit(f"cannot compare products of shapes {', '.join(str(product.shape) for product in products)}")
    first, *others = products
    bound = float(max(first.shape) * numpy.finfo(first.dtype).eps)
    differences = []
    for other in others:
        for row in range(0, first.shape[0], 1000):
            x, y = first[row : row + 1000], other[row : row + 1000]
            differences.append(float(abs(x - y).max() / abs(x).max()))
    largest = float(numpy.max(differences))
    # Not a number is never below the bound. JSON has no word for it.
    say(
        {
            "agree": all(difference <= bound for difference in differences),
            "difference": largest if numpy.isfinite(largest) else str(largest),
            "bound": bound,
        }
    )


def disk(folder, count):
    """A plain file written and made durable, then read after the page cache has let go of it."""
    path, block = os.path.join(folder, "disk"), os.urandom(1 << 23)
    blocks = max(int(count) // len(block), 1)

    def run():
        def write():
            for _ in range(blocks):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())

        def read():
            while file.readinto(buffer):
                pass

        buffer = bytearray(len(block))
        with open(path, "wb", buffering=0) as file:
            written = seconds(write)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with open(path, "rb", buffering=0) as file:
            taken = seconds(read)
        os.remove(path)
        moved = blocks * len(block)
        return {
            "seconds": written + taken,
            "write_bytes_per_s": moved / written,
            "cold_read_bytes_per_s": moved / taken,
        }

    serve(f"a plain file of {blocks * len(block) >> 20} MiB", run)


def command(*line):
    """A command, with the most memory that the kernel saw it have."""

    def run():
        start = time.perf_counter()
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - start
        if status:
            sys.exit(f"{' '.join(line)} ended with {os.waitstatus_to_exitcode(status)}: {said.decode()}")
        document = json.loads(said)
        return {
            "seconds": taken,
            "resident_bytes": usage.ru_maxrss << 10,
            "memory_bytes_peak": document["memory_bytes_peak"],
        }

    serve(" ".join([os.path.basename(line[0]), *line[1:]]), run)


def free(folder):
    """How many bytes the disk of a folder has to give."""
    say({"bytes": shutil.disk_usage(folder).free})


def describe(*packages):
    """This machine, in lines of a name and what it is."""
    import datetime
    import importlib.metadata
    import platform

    def read(path):
        try:
            with open(path) as file:
                return file.read()
        except OSError:
            return ""

    def processor(key):
        lines = (line.partition(":") for line in read("/proc/cpuinfo").splitlines())
        return next((value.strip() for name, _, value in lines if name.strip() == key), "")

    memory = next((x.split()[1] for x in read("/proc/meminfo").splitlines() if x.startswith("MemTotal")), 0)
    vector = [flag for flag in ("fma", "avx2", "avx512f") if flag in processor("flags").split()]
    say(
        {
            "date": datetime.date.today().isoformat(),
            "vendor": processor("vendor_id") or platform.machine(),
            "family": processor("cpu family"),
            "model": processor("model"),
            "processor": processor("model name") or platform.processor() or platform.machine(),
            "instructions": " ".join(vector),
            "memory_gib": round(int(memory) / (1 << 20), 1),
            "kernel": f"{platform.system()} {platform.release()}",
            "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled").strip(),
            "load": read("/proc/loadavg").strip(),
            "python": platform.python_version(),
            "packages": {name: importlib.metadata.version(name) for name in packages},
        }
    )


if __name__ == "__main__":
    WHAT = {f.__name__: f for f in (dot, mkl, numpy_files, dask_files, dask_distributed, agree, disk, command, free, describe)}
    try:
        WHAT[sys.argv[1]](*sys.argv[2:])
    except KeyboardInterrupt:
        sys.exit(130)
