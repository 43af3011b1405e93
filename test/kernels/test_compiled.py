# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What nvcc makes of the kernels: nothing in local memory, and the binary Tensor Cores at work.

Needs nvcc, but no GPU. The machine code is looked at where there is a disassembler too: nvdisasm of
the CUDA toolkit, or the one in Triton's pip package.
"""

import functools
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.nvcc import Compilation, compile_sources, find_compiler

ARCHITECTURES = (80, 86, 87, 89, 90)
KERNELS = Path(__file__).resolve().parents[2] / 'kernels'
SOURCES = sorted(KERNELS.glob('*.cu'))
BINARY = ('conv3x3', 'up_conv', 'last_conv')
"""Sources of which every kernel multiplies bits."""


@pytest.fixture(scope='module')
def nvcc():
    try:
        return find_compiler()
    except EngineUnavailable as error:
        pytest.skip(f'needs nvcc: {error}')


@pytest.fixture(scope='module')
def nvdisasm(nvcc):
    triton = importlib.util.find_spec('triton')
    folders = [Path(nvcc.program).resolve().parent]
    if triton and triton.origin:
        folders.append(Path(triton.origin).parent / 'backends' / 'nvidia' / 'bin')
    found = [shutil.which('nvdisasm'), *(shutil.which('nvdisasm', path=f) for f in folders)]
    program = next(filter(None, found), None)
    if program is None:
        pytest.skip('needs nvdisasm: of the CUDA toolkit, or pip install triton')
    return program


@functools.cache
def compiled(nvcc, path):
    """Everything that nvcc makes of one source, once in a session: {architecture: result}."""
    jobs = [(path, architecture) for architecture in ARCHITECTURES]
    return {job[1]: result for job, result in compile_sources(nvcc, jobs)}


def check_resources(result):
    """Fail unless it compiled to kernels that stay in registers and shared memory."""
    assert isinstance(result, Compilation), str(result)
    assert result.kernels, f'no kernel in it: {result.log}'
    local = {name: kernel for name, kernel in result.kernels.items() if kernel.local_memory}
    assert not local, f'local memory or spills: {local}'
    # Of wgmma: 'Potential Performance Loss: wgmma.mma_async instructions are serialized'.
    assert 'Performance Loss' not in result.log


def machine_code(nvdisasm, cubin, folder):
    """The disassembly of each kernel of a cubin, by name."""
    (folder / 'kernels.cubin').write_bytes(cubin)
    result = subprocess.run(
        [nvdisasm, folder / 'kernels.cubin'], capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.skip(f'{nvdisasm} cannot read it: {result.stderr.strip()}')
    parts = re.split(r'^\.text\.(\w+):', result.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def check_machine_code(code, architecture, binary):
    """Fail on access to local memory and, where `binary`, on a kernel without product of bits."""
    local = [name for name, text in code.items() if re.search(r'\b(LDL|STL)\b', text)]
    assert not local, f'local memory in {local}'
    if not binary:
        return
    # Hopper's warp-group product is BGMMA. A kernel for it has no body on other architectures.
    product = r'\bBG?MMA\.\S*AND\.POPC' if architecture == 90 else r'\bBMMA\.\S*AND\.POPC'
    names = [name for name in code if architecture == 90 or 'wgmma' not in name]
    without = [name for name in names if not re.search(product, code[name])]
    assert names and not without, f'no AND.POPC product in {without or "any kernel"}'


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('path', SOURCES, ids=lambda path: path.stem)
def test_no_spills_and_no_local_memory(nvcc, path, architecture):
    check_resources(compiled(nvcc, path)[architecture])


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('path', SOURCES, ids=lambda path: path.stem)
def test_machine_code(nvcc, nvdisasm, path, architecture, tmp_path):
    result = compiled(nvcc, path)[architecture]
    assert isinstance(result, Compilation), str(result)
    code = machine_code(nvdisasm, result.cubin, tmp_path)
    assert set(code) >= set(result.kernels)
    check_machine_code(code, architecture, path.stem in BINARY)


# From here on: the checks above can fail.

SPILLS = """
extern "C" __global__ void __launch_bounds__(1024) spills(float *values) {
  float v[128];
#pragma unroll
  for (int i = 0; i < 128; ++i) v[i] = values[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 128; ++i) values[i * 1024 + threadIdx.x] = v[i] * v[(i * 37 + 11) % 128];
}
"""

STACK = """
extern "C" __global__ void stack(const int *in, int *out, int n) {
  int v[64] = {};
  for (int i = 0; i < n; ++i) v[in[i] & 63] += i;
  for (int i = 0; i < 64; ++i) out[i] = v[(in[i] + n) & 63];
}
"""

PRODUCT = """
extern "C" __global__ void product(const unsigned *a, const unsigned *b, int *out) {
  int d[4] = {};
  asm volatile("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  out[threadIdx.x] = d[0] + d[1] + d[2] + d[3];
}
"""

COUNT = """
extern "C" __global__ void count(const unsigned *a, const unsigned *b, int *out) {
  out[threadIdx.x] = __popc(a[threadIdx.x] & b[threadIdx.x]);
}
"""

WGMMA = """
extern "C" __global__ void product_wgmma(int *out, unsigned long long a, unsigned long long b) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  int d[4] = {};
  asm volatile("wgmma.fence.sync.aligned;");
  asm volatile("wgmma.mma_async.sync.aligned.m64n8k256.s32.b1.b1.and.popc "
               "{%0, %1, %2, %3}, %4, %5, 1;"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]) : "l"(a), "l"(b));
  asm volatile("wgmma.commit_group.sync.aligned;\\nwgmma.wait_group.sync.aligned 0;");
  out[threadIdx.x] = d[0] + d[1] + d[2] + d[3];
#endif
}
"""


def compile_text(nvcc, folder, text, architecture):
    path = folder / 'sample.cu'
    path.write_text(text)
    ((_, result),) = compile_sources(nvcc, [(path, architecture)])
    return result


@pytest.mark.parametrize('text, fault', [(SPILLS, 'spills'), (STACK, 'stack')])
def test_local_memory_is_noticed(nvcc, tmp_path, text, fault):
    result = compile_text(nvcc, tmp_path, text, 87)
    with pytest.raises(AssertionError, match=f'local memory or spills: .*{fault}'):
        check_resources(result)
    assert (result.kernels[fault].spill_stores > 0) == (fault == 'spills')


@pytest.mark.parametrize('text', [SPILLS, STACK])
def test_local_memory_is_noticed_in_machine_code(nvcc, nvdisasm, tmp_path, text):
    result = compile_text(nvcc, tmp_path, text, 87)
    with pytest.raises(AssertionError, match='local memory'):
        check_machine_code(machine_code(nvdisasm, result.cubin, tmp_path), 87, binary=False)


@pytest.mark.parametrize('architecture', [87, 90])
def test_only_a_product_of_bits_passes(nvcc, nvdisasm, tmp_path, architecture):
    result = compile_text(nvcc, tmp_path, PRODUCT, architecture)
    check_resources(result)
    code = machine_code(nvdisasm, result.cubin, tmp_path)
    check_machine_code(code, architecture, binary=True)
    result = compile_text(nvcc, tmp_path, PRODUCT + COUNT, architecture)
    code = machine_code(nvdisasm, result.cubin, tmp_path)
    assert set(code) == {'product', 'count'}
    with pytest.raises(AssertionError, match=r"no AND.POPC product in \['count'\]"):
        check_machine_code(code, architecture, binary=True)


def test_the_warp_group_product_passes_on_hopper_alone(nvcc, nvdisasm, tmp_path):
    text = WGMMA + PRODUCT
    for architecture in (87, 90):
        result = compile_text(nvcc, tmp_path, text, architecture)
        check_resources(result)
        code = machine_code(nvdisasm, result.cubin, tmp_path)
        assert ('BGMMA' in code['product_wgmma']) == (architecture == 90)
        check_machine_code(code, architecture, binary=True)
    with pytest.raises(AssertionError, match='no AND.POPC product'):
        check_machine_code({'wgmma': ''}, 90, binary=True)
    with pytest.raises(AssertionError, match='any kernel'):
        check_machine_code({'wgmma': ''}, 87, binary=True)


def test_a_real_compile_error_is_told(nvcc, tmp_path):
    result = compile_text(nvcc, tmp_path, '__global__ void f(int *x) {\n  x[0] = y;\n}', 87)
    assert isinstance(result, EngineUnavailable)
    assert f'{tmp_path}/sample.cu for sm_87 does not compile: sample.cu(2): error: ' in str(result)
    assert 'identifier "y" is undefined' in str(result)


def test_an_architecture_that_nvcc_does_not_know_is_told(nvcc, tmp_path):
    result = compile_text(nvcc, tmp_path, '__global__ void f() {}', 999)
    assert re.search(r'nvcc [\d.]+ .* does not know sm_999; install a newer', str(result))


def test_the_same_source_gives_the_same_bytes(nvcc, tmp_path):
    results = [compile_text(nvcc, tmp_path, STACK, 87).cubin for _ in range(2)]
    assert results[0] == results[1]
    assert str(tmp_path).encode() not in results[0]
