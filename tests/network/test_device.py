from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from cxpath.errors import ConfigurationError, DeviceError
from cxpath.network import device as device_module
from cxpath.network.device import Device, choose_device, computes_bfloat16, computes_int8, visible_gpus


@pytest.fixture(autouse=True)
def _same_threads_after() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def pretend_cuda(monkeypatch: pytest.MonkeyPatch, *, present: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)


def pretend_processor(monkeypatch: pytest.MonkeyPatch, **able: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)


def test_cuda_that_is_not_there_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cuda(monkeypatch, present=False)
    with pytest.raises(DeviceError, match="--device cpu"):
        choose_device("cuda")


def test_auto_takes_cuda_when_present_and_cpu_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cuda(monkeypatch, present=True)
    monkeypatch.setattr(device_module, "computes_bfloat16", lambda name: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert choose_device("auto").name == "cuda"
    assert choose_device("auto").number_type == torch.bfloat16
    assert choose_device("cpu").name == "cpu"


@pytest.mark.parametrize(
    ("able", "expected"),
    [({"avx2": True}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)],
)
def test_bfloat16_only_where_the_processor_computes_it(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], *, expected: bool
) -> None:
    pretend_processor(monkeypatch, **able)
    assert computes_bfloat16("cpu") is expected
    chosen = choose_device("cpu").number_type
    assert chosen == (torch.bfloat16 if expected else torch.float32)


def test_precision_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_processor(monkeypatch, avx512_bf16=True)
    assert choose_device("cpu", precision="float32").number_type == torch.float32
    pretend_processor(monkeypatch)
    assert choose_device("cpu", precision="bfloat16").number_type == torch.bfloat16


def test_threads_are_set_and_described() -> None:
    device = choose_device("cpu", threads=1)
    assert torch.get_num_threads() == device.threads == 1
    assert device.describe().startswith("cpu (1 thread), ")


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tpu"):
        choose_device("tpu")
    with pytest.raises(ConfigurationError, match="threads"):
        choose_device("cpu", threads=0)


def test_a_gpu_is_described_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    device = Device("cuda", torch.bfloat16, 4)
    assert (device.hardware, device.precision) == ("cuda (a GPU)", "bfloat16")
    assert device.describe() == "cuda (a GPU), bfloat16"
    assert device.torch_device == torch.device("cuda")


@pytest.mark.parametrize("able", ["avx512_vnni", "avx_vnni", "amx_int8"])
def test_int8_pays_only_where_the_processor_adds_bytes_in_one_instruction(
    monkeypatch: pytest.MonkeyPatch, able: str
) -> None:
    pretend_processor(monkeypatch, avx512_bf16=True)
    assert not computes_int8("cpu")
    pretend_processor(monkeypatch, **{able: True})
    assert computes_int8("cpu")
    assert not computes_int8("cuda")


def test_emulated_bfloat16_of_a_gpu_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def supported(*, including_emulation: bool) -> bool:
        asked.append(including_emulation)
        return False

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert not computes_bfloat16("cuda")
    assert asked == [False]


@pytest.mark.parametrize(
    ("number", "stated", "expected"),
    [
        (0, None, ()),
        (2, None, ("0", "1")),
        (2, "", ("0", "1")),
        (2, "3, 5", ("3", "5")),
        (1, "GPU-1234,", ("GPU-1234",)),
        (1, "3,5", ("3",)),  # torch sees one of them only
    ],
)
def test_each_gpu_is_named_as_another_process_must_name_it(
    monkeypatch: pytest.MonkeyPatch, number: int, stated: str | None, expected: tuple[str, ...]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: number)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if stated is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", stated)
    assert visible_gpus() == expected


def test_what_is_not_quantised_computes_as_auto_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for able, number_type in (({"amx_bf16": True}, torch.bfloat16), ({}, torch.float32)):
        pretend_processor(monkeypatch, **able)
        assert choose_device("cpu", precision="int8").number_type == number_type
