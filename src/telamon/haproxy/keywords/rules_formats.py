"""Log formats of one's own, unique ids, variables that are set at the start (manual 4.2)."""

from __future__ import annotations

from telamon.haproxy.expressions import read_expression
from telamon.haproxy.formats import read_format
from telamon.haproxy.keywords.row import Arguments, Carry, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.rules import place
from telamon.haproxy.sample_arguments import check_variable
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.scope import REQUEST, Scope
from telamon.plan.proxy import LogFormat
from telamon.plan.rules import Rule

_FIELDS = {
    "log-format": ("log_line", (Stage.LOG,)),
    "log-format-sd": ("log_structured", (Stage.LOG,)),
    "error-log-format": ("error_log_line", (Stage.LOG,)),
    "unique-id-format": ("unique_id", REQUEST),
}


def _format(name: str) -> Carry:
    """Whether the mode fits is looked at when all is read (`rule_checks.py`)."""

    def carry(args: Arguments, context: Context) -> None:
        word = args.word("a format")
        if (extra := args.peek()) is not None:
            raise args.refuse(
                "H041", f"'{args.keyword}' takes one argument", extra.span,
                help="put the format in quotes, or escape its blanks",
            )  # fmt: skip
        field, stages = _FIELDS[name]
        scope = Scope(context, stages, f"'{name}'", word)
        format = read_format(word, scope, merge_blanks=True)
        setattr(context.settings.rules, field, format)
        context.settings.rules.format_words[field] = word
        if name == "log-format":
            context.settings.log_format = LogFormat.DEFAULT
        if name in ("log-format", "log-format-sd"):
            context.settings.log_format_word = args.keyword

    return carry


def _set_var(args: Arguments, context: Context) -> None:
    """`set-var proc.name <expression>` of the global section."""
    name = args.word("a variable's name")
    scope = Scope(context, (Stage.CONFIGURATION,), f"'{args.keyword}'", args.keyword)
    _check_process_variable(args, name)
    if args.keyword.text == "set-var":
        expression = read_expression(args, scope).expression
        rule = Rule("set-var", (name.text,), expression=expression)
    else:
        rule = Rule("set-var-fmt", (name.text,), (read_format(args.word("a format"), scope),))
    args.end()
    context.model.variables.append(_placed(rule, args.keyword))


def _placed(rule: Rule, keyword: Word) -> Rule:
    return Rule(rule.action, rule.arguments, rule.formats, rule.expression,
                source_line=place(keyword.span))  # fmt: skip


def _check_process_variable(args: Arguments, name: Word) -> None:
    try:
        check_variable(name.text)
    except ValueError as error:
        raise args.refuse("H042", str(error), name.span) from None
    if not name.text.startswith("proc."):
        raise args.refuse(
            "H042", f"'{name}' cannot be set here: only `proc` variables outlive a stream",
            name.span, help=f"write proc.{name.text.partition('.')[2]}",
        )  # fmt: skip


KEYWORDS = (
    *(
        Keyword(name, places, "<format>", doc, _format(name))
        for name, places, doc in (
            ("log-format", Place.ANY_FRONT, "Log lines of one's own."),
            ("log-format-sd", Place.ANY_FRONT, "Structured data of RFC 5424 log lines."),
            ("error-log-format", Place.ANY_FRONT, "Log lines of connections that failed early."),
            ("unique-id-format", Place.ANY_FRONT, "What the unique id of a stream is made of."),
        )
    ),
    Keyword("set-var", Place.GLOBAL, "<proc.name> <expr>", "A variable, set at the start.",
            _set_var),
    Keyword("set-var-fmt", Place.GLOBAL, "<proc.name> <fmt>", "A variable, set at the start.",
            _set_var),
)  # fmt: skip
