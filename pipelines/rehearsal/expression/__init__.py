"""The conditions of AnalysisTemplates: a stated subset of expr-lang 1.17, as Argo Rollouts 1.10 sets it up.

Covered: `result`; nil, booleans, numbers, strings, lists, maps; `[]` with negative positions, `.`, `?.`;
`+ - * / % **`; comparisons, also chained; `in`, `contains`, `startsWith`, `endsWith`, each with `not`;
`and or not && || !`; `?:`, `??`; `|`; closures with `#`, `#index` and `.field` in all, any, none, one, filter, map,
count, sum; len, abs, ceil, floor, round, int, float, string, min, max, mean; isNaN, isInf, isNil, asInt, asFloat and
default.
All else (`matches`, slices, ranges, `let`, `if`, other functions) is refused by its name and column.
"""

from pipelines.rehearsal.expression.errors import ExpressionError, UnsupportedExpression
from pipelines.rehearsal.expression.parser import parse
from pipelines.rehearsal.expression.run import evaluate

__all__ = ["ExpressionError", "UnsupportedExpression", "evaluate", "parse"]
