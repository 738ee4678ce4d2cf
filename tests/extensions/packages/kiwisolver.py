# SPDX-License-Identifier: MIT
import kiwisolver as kiwi


def smoke():
    left, middle, right = (kiwi.Variable(each) for each in ("left", "middle", "right"))
    solver = kiwi.Solver()
    for each in (left >= 0, right <= 100, left + 10 <= right, middle == (left + right) / 2):
        solver.addConstraint(each)
    weak = (left == 20) | "weak"
    solver.addConstraint(weak)
    solver.addEditVariable(right, "strong")
    seen = []
    for each in (50, 25, 500):
        solver.suggestValue(right, each)
        solver.updateVariables()
        seen.append((left.value(), middle.value(), right.value()))
    errors = []
    for wrong in (left == -5, right >= 1000):
        try:
            solver.addConstraint(wrong)
        except kiwi.UnsatisfiableConstraint as error:
            errors.append(type(error).__name__)
    try:
        solver.addConstraint(weak)
    except kiwi.DuplicateConstraint as error:
        errors.append(type(error).__name__)
    solver.removeConstraint(weak)
    return {
        "seen": seen,
        "expression": (3 * left - middle / 2 + 7).constant(),
        "terms": [(each.variable().name(), each.coefficient()) for each in (2 * left + right).terms()],
        "has": (solver.hasConstraint(weak), solver.hasEditVariable(right)),
        "operation": (left <= 5).op(),
        "strengths": [kiwi.strength.weak, kiwi.strength.required],
        "errors": errors,
    }
