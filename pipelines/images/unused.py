"""What a server never loads of its packages, taken out by the image's build, and by the bench to measure the same.

`python3 unused.py VENV`: in the image's build it runs beside the packages, not with them, and imports nothing of ours.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

# Below site-packages. One that matches nothing is an error: it has gone, or goes by another name.
UNUSED: Mapping[str, str] = {
    "onnxruntime/capi/libonnxruntime.so.*": "for programs in C; Python's extension holds the same code itself",
    "onnxruntime/datasets": "example models",
    "onnxruntime/quantization": "makes models",
    "onnxruntime/tools": "makes models",
    "onnxruntime/transformers": "makes models",
    "numpy/**/tests": "numpy's own tests",
    "**/*.pyi": "for type checkers",
    "**/*.cpp": "sources of extensions that are there built",
    "**/*.[ch]": "the same",
    "**/*.pyx": "the same, of Cython",
    "**/*.px[di]": "the same, of Cython",
    "**/*.a": "for linking further extensions",
}


def remove(site_packages: Path, unused: Mapping[str, str] = UNUSED) -> None:
    """Unlinks all that is unused; nothing is written into, for uv links files from its cache.

    Args:
        site_packages: of the serving environment.
        unused: patterns and reasons.

    Raises:
        ValueError: a pattern matches nothing; nothing is removed then.
    """
    found = {pattern: list(site_packages.glob(pattern)) for pattern in unused}
    if stale := [pattern for pattern, paths in found.items() if not paths]:
        raise ValueError(f"{site_packages} has nothing like {', '.join(stale)}: mend UNUSED in {Path(__file__).name}")
    for path in (path for paths in found.values() for path in paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    (folder,) = Path(sys.argv[1]).glob("lib/python3.*/site-packages")
    remove(folder)
