"""The codes of this language's diagnostics (documented in docs/diagnostics.md)."""

from __future__ import annotations

UNREADABLE = "K001"
QUOTE = "K003"
STRAY_BRACE = "K004"
UNBALANCED = "K005"
INCLUDE = "K006"
INCLUDE_LOOP = "K007"
DEFINITION = "K008"
ENDLESS = "K009"
SEQUENCE = "K010"
UNKNOWN = "K011"
OLD_SPELLING = "K012"
NOTED = "K013"
NOT_YET = "K014"
REFUSED = "K015"
MISSING_ARGUMENT = "K016"
BAD_VALUE = "K017"
MISSING_BRACE = "K018"
NO_BLOCK = "K019"
INCOMPLETE = "K020"
"""An instance lacks what it cannot run without."""
DUPLICATE_VRID = "K021"
ADJUSTED = "K022"
"""A value is right by itself but not with the others; what is used instead is told."""
MISSING_NAME = "K023"
"""A script, instance, interface or user that is named nowhere."""
SCRIPT_FILE = "K024"
EMPTY = "K025"
UNDEFINED = "K026"
NOTHING = "K027"
OWN_INTERFACE = "K028"
TRAP_NOPREEMPT = "K030"
TRAP_OWNER = "K031"
TRAP_MASTER = "K032"
TRAP_WEIGHT = "K033"
TRAP_PROXY_SCRIPT = "K034"
TRAP_COMMON_VRID = "K035"
TRAP_ROOT_SCRIPT = "K036"
TRAP_SLOW_SCRIPT = "K037"
PREFIX = "K038"
TRAP_COMMENT = "K039"
TRAP_MAIL = "K040"
OWN_WORD = "K041"

CHECK_FAILS = frozenset(
    {
        ADJUSTED, BAD_VALUE, DEFINITION, EMPTY, MISSING_NAME, PREFIX, SCRIPT_FILE, SEQUENCE,
        STRAY_BRACE, TRAP_MASTER, UNBALANCED, UNDEFINED, UNKNOWN,
    }
)  # fmt: skip
"""Warnings with which Keepalived runs, but that its own test (`keepalived -t`) refuses."""
