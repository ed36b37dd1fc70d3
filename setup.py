"""Package metadata; build and tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "vis/version.py").read_text(), re.M)
assert VERSION, "vis/version.py states no version"

# decord has wheels for these machines only.
DECORD = (
    "decord>=0.6; (sys_platform == 'linux' and platform_machine == 'x86_64')"
    " or (sys_platform == 'win32' and platform_machine == 'AMD64')"
)

SUPERVISION = "supervision>=0.28,<1"
WEB = "gradio>=6.31,<7"  # 5 takes style and theme at another place
EXPORT = ["onnx>=1.19", "onnxruntime>=1.23", "onnxscript>=0.5"]

setup(
    name="vis-kit",
    version=VERSION[1],
    description="Video instance segmentation: find, outline, name and follow all objects",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["vis", "vis.*"]),
    package_data={"vis": ["py.typed", "assets/*"]},
    install_requires=[
        "torch>=2.11",
        "torchvision>=0.26",
        "av>=18.1",  # bundles FFmpeg 8.1.2; older ones have known holes
        "numpy>=2",
        "scipy>=1.13",  # the first that works with NumPy 2
        "einops>=0.8",
        "timm>=1.0.25",  # older ones make PyTorch 2.11 warn when they are imported
        "safetensors>=0.4.5",
        "huggingface-hub>=1.0",  # timm brings it too
        "pycocotools>=2.0.8",
        "pillow>=12.3",
        "jsonargparse[signatures]>=4.49,<5",
        "docstring-parser>=0.17",  # of jsonargparse's own
        "pyyaml>=6",
        "tqdm>=4.66",
    ],
    extras_require={
        "decord": [DECORD],  # neither of these two reads a file better than PyAV does
        "torchcodec": ["torchcodec>=0.10"],
        "ray": ["ray[data]>=2.60"],
        "fiftyone": ["fiftyone>=1.3"],
        "supervision": [SUPERVISION],
        "tensorboard": ["tensorboard>=2.17"],
        "web": [WEB],
        "export": EXPORT,
        "dev": [
            *EXPORT,
            DECORD,
            SUPERVISION,
            WEB,
            "hypothesis>=6.100",
            "mkdocs-material>=9.5",
            "mkdocstrings[python]>=0.27",
            "mypy>=1.15",
            "nbclient>=0.10",
            "ipykernel>=6.29",
            "pandas>=2.2",
            "playwright>=1.50",  # drives Debian's Chromium where that is installed
            "pytest>=8.3",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
            "setuptools>=77",  # a test builds the wheel
            "tensorboard>=2.17",
            "transformers>=5.20",  # reads what `vis weights convert --to transformers` writes
            "types-PyYAML",
            "types-tqdm",
        ],
    },
    entry_points={"console_scripts": ["vis = vis.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)
