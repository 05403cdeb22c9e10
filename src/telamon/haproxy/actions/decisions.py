"""Actions that end a list of rules, or a stream."""

from __future__ import annotations

from telamon.haproxy.actions import slots
from telamon.haproxy.actions.python import service
from telamon.haproxy.actions.redirects import read_redirect
from telamon.haproxy.actions.row import Action, At, RuleWords, Slot
from telamon.haproxy.replies import read_reply


def _reply(status: int, response_status: int | None = None, *, errors: bool = True) -> Slot:
    def read(rule: RuleWords) -> None:
        holds = response_status if rule.at is At.RESPONSE and response_status else status
        rule.reply = read_reply(rule.args, rule.scope, holds, errors=errors)

    return read


def _no_ttl(rule: RuleWords) -> None:
    word = rule.args.peek()
    if word is not None and word.text == "rst-ttl":
        raise rule.args.not_yet(word, "silent-drop rst-ttl")


_ANSWER = "[status <code>] [content-type <type>] [<payload>] [hdr <name> <fmt>]*"

ACTIONS = (
    Action("accept", At.TCP_REQUEST | At.TCP_RESPONSE, "", "Ends the list: it goes on.",
           final=True),
    Action("allow", At.HTTP, "", "Ends the list: it goes on.", final=True),
    Action("auth", At.REQUEST, "[realm <realm>]", "Answers 401, or 407 to proxy requests.",
           (slots.option_text("realm", "a realm"),), final=True),
    Action("close", At.TCP_RESPONSE, "", "Closes the server's connection.", final=True),
    Action("deny", At.REQUEST | At.RESPONSE, "[deny_status <code>] ...",
           "Answers 403 (502 to a response), or what is said as for `return`.",
           (_reply(403, 502),), final=True),
    Action("redirect", At.REQUEST | At.RESPONSE, "<rule>",
           "Sends the client elsewhere. arguments: location, prefix or scheme; the code; each "
           "option, with a blank and its value behind it. formats: the target; the cookie of "
           "`set-cookie-fmt`.",
           (read_redirect,), final=True),
    Action("reject", At.TCP_REQUEST | At.TCP_RESPONSE | At.REQUEST, "",
           "Closes the connection without an answer."),
    Action("return", At.REQUEST | At.RESPONSE, _ANSWER, "Answers in place of a server.",
           (_reply(200, errors=False),), final=True),
    Action("silent-drop", At.TCP_REQUEST | At.TCP_RESPONSE | At.REQUEST | At.RESPONSE,
           "[rst-ttl <ttl>]", "Forgets the connection without telling the client.",
           (_no_ttl,)),
    Action("tarpit", At.REQUEST, "[deny_status <code>] ...",
           "Answers 500 after `timeout tarpit`, or what is said as for `return`.",
           (_reply(500),), final=True),
    Action("use-service", At.CONTENT | At.REQUEST, "python.<name>",
           "Answers with the page that a Python function makes (`python.md`), in `http-request` "
           "rules. HAProxy's own services and those in Lua are refused.",
           (service,), final=True),
)  # fmt: skip
