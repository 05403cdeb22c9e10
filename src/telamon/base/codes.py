"""All codes that diagnostics bear, and what is behind each.

`docs/diagnostics.md` is made from this table by `tools/generate_docs.py`. A code never changes its
meaning and is never used again for another; tests hold that every code in the source stands here.
"""

from __future__ import annotations

CODES: dict[str, str] = {
    # haproxy.cfg: the file
    "H001": "A file or directory that cannot be read. Check the path and its permissions.",
    "H002": "A file, or a directory's set of `*.cfg` files, that is empty.",
    "H003": "A zero byte: the file is binary, or was damaged on its way.",
    "H004": "A word that is not UTF-8. Other bytes are allowed in comments only.",
    "H005": "The last line has no line feed. HAProxy refuses this too, since a file that was cut "
    "off in the middle looks just so.",
    "H006": "A file so large that it cannot be a configuration.",
    # haproxy.cfg: words
    "H010": "A quote that is not closed on its line.",
    "H011": "`\\x` without two hexadecimal digits.",
    "H012": "A `$` within double quotes that no variable's name follows. Write `\\$` for a dollar "
    "sign.",
    "H013": "A `${...}` that is not closed, or holds more than a name, `-default` or `[*]`.",
    "H014": "More words on one line than HAProxy takes.",
    "H015": "A backslash at the end of a line. The language has no continuation lines; the "
    "backslash is an ordinary character of the last word.",
    # haproxy.cfg: conditions and messages
    "H020": "A condition of `.if` or `.elif` that cannot be read.",
    "H021": "`.elif`, `.else` or `.endif` without the `.if` it needs, or after `.else`.",
    "H022": "A `.if` block that does not end in its file.",
    "H023": "What the file says with `.notice`.",
    "H024": "What the file says with `.warning`.",
    "H025": "What the file says with `.alert`, which keeps it from loading.",
    # haproxy.cfg: statements
    "H030": "A statement before the first section of a file.",
    "H031": "A kind of section that HAProxy knows and Telamon does not carry out yet. Its lines "
    "were not looked at.",
    "H032": "A name that is missing, or has characters that names cannot have.",
    "H033": "A word that neither HAProxy nor Telamon knows; often a slip of the pen.",
    "H034": "A word that HAProxy knows and Telamon does not carry out yet. Nothing is skipped in "
    "silence: the file is refused until the word is gone or carried out.",
    "H035": "A word of older files that today's HAProxy refuses as well; the help names what "
    "took its place.",
    "H036": "A word in a section where it is not possible. What belongs to a proxy's other side "
    "is ignored with a warning, as by HAProxy; the rest is an error.",
    "H038": "A word about HAProxy's inner works that has no meaning here. It changes nothing.",
    "H039": "`no` or `default` before a word that cannot be undone.",
    "H040": "An argument is missing.",
    "H041": "One argument too many.",
    "H042": "A value that is not of its kind, or outside its range.",
    "H043": "A word that is none of the possible ones.",
    "H044": "A file that the configuration names cannot be used: it cannot be read, is too large, "
    "or is not what the keyword wants (an HTTP response for `errorfile`).",
    # haproxy.cfg: addresses, users
    "H050": "An address that cannot be read.",
    "H051": "An address without the port it needs.",
    "H052": "A port, or range of ports, that is not one.",
    "H053": "A host name that the system cannot resolve. Names are resolved when the file loads.",
    "H060": "A user that this machine does not have.",
    "H061": "A group that this machine does not have.",
    # haproxy.cfg: what the whole file shows
    "H070": "Servers of one backend that share a name. Old HAProxy took such files, 2.6 and 3.x "
    "refuse them; here they load as separate servers. A command reaches the first by name and "
    "each by `backend/#id`.",
    "H071": "Two proxies of one kind, or two `defaults` sections, that share a name.",
    "H072": "Two proxies, servers or sockets with one `id`.",
    "H073": "A backend or `defaults` section that does not exist.",
    "H074": "A `default_backend` that cannot serve: a frontend, or the section itself.",
    "H075": "A frontend whose `default_backend` has another mode.",
    "H076": "A frontend without a `bind` line.",
    "H077": "Timeouts that are not set. Without them, a peer that vanished holds its connection "
    "for ever.",
    "H079": "No section listens anywhere. HAProxy does not start with such a file.",
    "H080": "The old word `transparent`, which means `option transparent`: without a server, pass "
    "connections to the address that the client meant to reach. It says why that changes nothing "
    "in this section.",
    "H081": "A word that has no effect where it stands.",
    "H082": "`stats` in a section that is not in mode http.",
    "H083": "One address bound twice.",
    "H085": "A status that an `http-errors` section does not define.",
    "H084": "A log format in a section that logs nowhere.",
    # haproxy.cfg: the rule language
    "H100": "A sample fetch, converter or log alias that does not exist.",
    "H101": "A value that is asked for where it is not there: a request's header in a rule about "
    "connections, a response's in a rule about requests. Expressions are refused; ACLs pass with a "
    "warning, since they just never match. HAProxy does the same.",
    "H102": "Types that do not fit: a converter that wants another type, or a value of which it "
    "must be said how it is compared.",
    "H103": "A flag of a log format that does not exist. It changes nothing.",
    "H104": "An ACL without patterns. It never matches.",
    "H105": "A condition that cannot be read, or that names an ACL which is not declared above it.",
    "H106": "A regular expression that cannot be read.",
    "H107": "A rule behind one that always ends the list.",
    "H108": "A rule that is evaluated earlier than its place in the file says.",
    "H109": "A rule that the data plane cannot compile: mostly a regular expression.",
    "H110": "A file of `telamon-python` that cannot be read or loaded, or registers a name twice.",
    "H111": "A Python function where nothing can wait for it: in log lines, in rules about "
    "connections, in choices of mode tcp. See `python.md`.",
    "H112": "A file of `telamon-python` that everybody can change.",
    # keepalived.conf: the file and its blocks
    "K001": "A file that cannot be read.",
    "K003": "A quote that is not closed on its line.",
    "K004": "A `{` that follows no keyword.",
    "K005": "A `}` or `{` without its partner.",
    "K006": "An `include` that names no file, or none that exists.",
    "K007": "Files that include each other without end.",
    "K008": "A definition (`$NAME=`) that is not complete.",
    "K009": "Definitions or sequences that would make the file grow without end.",
    "K010": "A `~SEQ` or `~LST` that cannot be read.",
    "K011": "A word that Keepalived does not know.",
    "K012": "An old spelling, read as today's.",
    "K013": "A word that is noted; the message says what it means to Telamon.",
    "K014": "A word that Keepalived knows and Telamon does not carry out yet.",
    "K015": "A word that is refused, since ignoring it would change what the router does.",
    "K016": "An argument is missing.",
    "K017": "A value that is not of its kind, or outside its range.",
    "K018": "A word where it cannot stand: mostly a brace is missing above.",
    "K019": "A block after a word that takes none.",
    "K020": "An instance that lacks what it cannot run without.",
    "K021": "Two instances of one interface with one virtual_router_id.",
    "K022": "A value that does not fit the others; the message says what is used instead.",
    "K023": "A script, instance, interface or user that does not exist.",
    "K024": "A script's file that is missing, or cannot be executed.",
    "K025": "A block that is empty, such as an instance without addresses.",
    "K026": "A `$NAME` that is not defined and stays as it stands.",
    "K027": "A file that configures nothing.",
    "K028": "Tracking the instance's own interface, whose loss is a fault anyway.",
    "K029": "A notify script that cannot be run now. Keepalived says nothing until it is needed.",
    # keepalived.conf: traps
    "K030": "`nopreempt` together with a script's weight: the priority falls, and nobody acts.",
    "K031": "An instance without a priority that starts as MASTER counts as the address's owner.",
    "K032": "`nopreempt` where it cannot work.",
    "K033": "A weight that moves the VIP to few or no nodes.",
    "K034": "A script that asks whether the proxy runs, which Telamon knows by itself.",
    "K035": "The virtual_router_id (and password) that nearly every example has.",
    "K036": "A script that runs as root though others can change it.",
    "K037": "A script that acts only after a long time.",
    "K038": "An address whose prefix length may not be what was meant.",
    "K039": "A `#` or `!` within a value: the rest of the line is a comment.",
    "K040": "`smtp_alert` without a mail server or without somebody to write to.",
    "K041": "A word of Telamon's own, which Keepalived would warn of.",
    "K042": "One virtual address in two instances: who becomes backup takes it from the other.",
    # both files together
    "P001": "A virtual_server of the kernel that catches the port on which the proxy listens.",
    "P002": "A server of the proxy that is the virtual address itself: a loop on the master.",
    "P003": "A virtual address on which the proxy does not listen.",
    "P004": "The proxy listens on an address that no instance moves.",
    "P005": "The proxy listens through an interface on which the virtual address does not live.",
    "P006": "A statistics page that everybody who reaches the virtual address can read.",
    "P007": "`track_backend` names no backend of the proxy, or wants more servers than it has.",
    "P008": "`track_proxy` or `track_backend` without a proxy beside the router.",
}
"""Code -> explanation, in simple English, with Markdown's back quotes."""
