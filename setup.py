# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Installs with `pip install .` and, as an ament_python package, with `colcon build`.

There is no setup.cfg that moves scripts, as ament_python packages often have: `mbu` lands in bin/,
on the PATH, both ways. What `ros2 run` starts must lie in lib/mbu_ros, for which pip has no entry
points, so the nodes' start scripts are data files.
"""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'mbu_ros'
SHARE = f'share/{PACKAGE}'


def files(folder, *patterns):
    """Files of a folder that match, with forward slashes; relative, as data_files wants them."""
    return sorted(
        str(path.as_posix())
        for pattern in patterns
        for path in Path(folder).glob(pattern)
        if path.is_file()
    )


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Real-time semantic segmentation for ROS 2 with masked binary U-Nets',
    author='The mbu_ros authors',
    maintainer='The mbu_ros authors',
    maintainer_email='maintainers@example.com',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    data_files=[
        # The marker by which ament, and so ros2 run and ros2 launch, find the package.
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (SHARE, ['package.xml']),
        (f'{SHARE}/launch', files('launch', '*.launch.*')),
        (f'{SHARE}/launch/examples', files('launch/examples', '*.launch.*')),
        (f'{SHARE}/config', files('config', '*.yaml', '*.rviz', '*.json', '*.xml')),
        (f'{SHARE}/config/sros2', files('config/sros2', '*.xml')),
        (f'{SHARE}/kernels', files('kernels', '*.cu', '*.cuh')),
        # Made by `make kernels`, for machines that have no nvcc.
        (f'{SHARE}/kernels/cubin', files('kernels/cubin', '*.cubin')),
        (f'{SHARE}/models', files('models', '*.safetensors', '*.md')),
        (f'lib/{PACKAGE}', files('scripts', '*_node')),
    ],
    package_data={f'{PACKAGE}.evaluation.report': ['templates/*']},
    zip_safe=False,
    install_requires=[
        'numpy>=1.24,<3',
        'opencv-python-headless>=4.8,<6',
        'safetensors>=0.4.3,<1',
        'rosbags>=0.11.6,<0.12',
        'rosbags-image>=0.10.2,<0.12',
        # For damaged bags, and for bags compressed by message or file.
        'mcap>=1.2.2,<2',
        'zstandard>=0.18,<1',
        'lz4>=4.3,<5',
        'rich>=13,<16',
        'jinja2>=3.0.3,<4',
        'matplotlib>=3.5.1,<4',
        'threadpoolctl>=3.1,<4',
    ],
    extras_require={
        # Binary wheels of ROS 2 for x86-64 Linux; on a robot, rclpy comes with ROS 2 itself.
        'ros': [
            'ros-rclpy[fastrtps]>=7.1,<10',
            'ros-sensor-msgs>=5.3,<6',
            'ros-std-msgs>=5.3,<6',
            'ros-diagnostic-msgs>=5.3,<6',
            'ros-lifecycle-msgs>=2.0,<3',
            'ros-rosgraph-msgs>=2.0,<3',
            'ros-visualization-msgs>=5.3,<6',
        ],
        'torch': ['torch>=2.4,<2.14'],
        # PyTorch alone is enough to train; TensorBoard logs it.
        'train': ['torch>=2.4,<2.14', 'tensorboard>=2.17.1,<3'],
        'cuda': ['pycuda>=2024.1,<2027', 'cuda-bindings>=12.6,<14'],
        'bench': ['nvidia-ml-py>=12.535,<14'],
        # By this name `colcon test` knows that the tests are pytest's.
        'test': ['pytest>=8.3.5,<10'],
        # From 8.3.5 on, test modules can import their neighbours (--import-mode=importlib).
        'dev': [
            'pytest>=8.3.5,<10',
            'hypothesis>=6.100,<7',
            'pytest-cov>=7,<8',
            'pytest-xdist>=3.8,<4',
            'coverage>=7.10.6,<8',
            'setuptools>=70.1',
            'ruff>=0.9,<1',
            'mypy>=1.15,<3',
            'codespell[toml]>=2.3,<3',
            'clang-format>=23,<24',  # another release breaks lines elsewhere
            'catkin_pkg>=1,<2',
        ],
        'audit': ['pip-audit>=2.7,<3'],
    },
    entry_points={'console_scripts': ['mbu = mbu_ros.cli:main']},
    classifiers=[
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
