# SPDX-License-Identifier: MIT
import ctypes

from llvmlite import binding, ir

BROKEN = "define i32 @f() { ret i64 0 }"


def module():
    """f(n): the sum of 1 to n."""
    number = ir.IntType(64)
    made = ir.Module("test")
    function = ir.Function(made, ir.FunctionType(number, [number]), "f")
    entry, loop, done = (function.append_basic_block(each) for each in ("entry", "loop", "done"))
    ir.IRBuilder(entry).branch(loop)
    builder = ir.IRBuilder(loop)
    i, total = builder.phi(number), builder.phi(number)
    following = builder.add(i, ir.Constant(number, 1))
    more = builder.add(total, i)
    i.add_incoming(ir.Constant(number, 0), entry)
    i.add_incoming(following, loop)
    total.add_incoming(ir.Constant(number, 0), entry)
    total.add_incoming(more, loop)
    builder.cbranch(builder.icmp_signed("<=", following, function.args[0]), loop, done)
    ir.IRBuilder(done).ret(more)
    return made


def compiled():
    """Assembly, and results."""
    machine = binding.Target.from_default_triple().create_target_machine(opt=2)  # the engine closes it
    parsed = binding.parse_assembly(str(module()))
    parsed.verify()
    passes = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(parsed, passes)
    assembly = machine.emit_assembly(parsed)
    with binding.create_mcjit_compiler(parsed, machine) as engine:
        engine.finalize_object()
        function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(engine.get_function_address("f"))
        return "f:" in assembly, [function(each) for each in (1, 10, 1000)]


def smoke():
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    try:
        binding.parse_assembly(BROKEN)
    except RuntimeError as error:
        refused = "ret i64 0" in str(error)
    parsed = binding.parse_assembly(str(module()))
    return {
        "compiled": [compiled() for _ in range(20)],
        "functions": [each.name for each in parsed.functions],
        "bitcode": [each.name for each in binding.parse_bitcode(parsed.as_bitcode()).functions],
        "triple": binding.get_default_triple().split("-")[0] == binding.get_process_triple().split("-")[0],
        "refused": refused,
    }
