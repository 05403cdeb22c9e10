"""Converters, asked in rules of a request. `FIX` and `MQTT`, `KEY` and `NONCE` are put
in as digits."""

CONVERTERS = r"""
str(a),add_item(:,,x) => a:x
str(abc),aes_cbc_enc(128,KEY,KEY),hex => [0-9A-F]{32}
str(abc),aes_cbc_enc(128,KEY,KEY),aes_cbc_dec(128,KEY,KEY) => abc
str(abc),aes_gcm_enc(128,NONCE,KEY,txn.tag),hex => [0-9A-F]{6}
str(abc),aes_gcm_enc(128,NONCE,KEY,txn.tag),aes_gcm_dec(128,NONCE,KEY,txn.tag) => abc
str(abcd),bytes(1,2) => bc
str(b),concat(-,txn.v,+) => b-kept\+
str(ab),cut_crlf => ab
str(a:b),field(2,:) => b
str(ab),has_ctl => 0
str(h:80),host_only => h
bool(true),iif(y,n) => y
req.fhdr(accept-language),language(de;en-GB) => en-GB
str(abc),length => 3
str(AB),lower => ab
str(xxa),ltrim(x) => a
str(a=1&b=2),param(b) => 2
str(h:80),port_only => 80
str(abab),regsub(a,x,g) => xbxb
str(abc),reverse => cba
str(a.b.c),reverse_dom => c.b.a
str(axx),rtrim(x) => a
str(kept),secure_memcmp(txn.v) => 1
str(kept),strcmp(txn.v) => 0
str(ab),upper => AB
str(a:b),word(2,:) => b
int(5),add(2) => 7
int(6),and(3) => 2
int(6),div(4) => 1
int(6),mod(4) => 2
int(6),mul(4) => 24
int(6),or(1) => 7
int(6),sub(4) => 2
int(6),xor(3) => 5
int(0),ltime(%Y) => 19..
int(0),utime(%Y) => 1970
int(1500),ms_ltime(%S) => 01
int(1500),ms_utime(%S) => 01
int(1500000),us_ltime(%S) => 01
int(1500000),us_utime(%S) => 01
int(5),bool => 1
int(0),cpl => -1
int(4),even => 1
int(0),http_date => Thu, 01 Jan 1970 00:00:00 GMT
src,ipmask(24) => 192.0.2.0
str(requests),nbsrv => 1
int(5),neg => -5
int(5),not => 0
int(5),odd => 1
str(requests/s1),srv_queue => 0
str(abc),crc32 => 891568578
str(abc),crc32c => 910901175
str(abc),digest(md5),hex => 900150983CD24FB0D6963F7D28E17F72
str(abc),djb2 => 193485963
str(abc),hmac(md5,a2V5),hex => D2FE98063F876B03193AFB49B4979591
str(abc),sdbm => \d+
str(abc),sha1,hex => A9993E364706816ABA3E25717850C26C9CD0D89D
str(abc),sha2(256),hex => BA7816BF.*
str(abc),wt6 => \d+
str(abc),xxh3 => -?\d+
str(abc),xxh32 => 852579327
str(abc),xxh64 => 4952883123889572249
str(YWJj),b64dec => abc
str(abc),base64 => YWJj
bin(0102),be2dec(.,1) => 1.2
bin(0102),be2hex(:,1) => 01:02
bin(0100),le2dec(.,2) => 1
bin(FIX),fix_is_valid => 1
bin(FIX),fix_tag_value(49) => S
str(AB),hex => 4142
str(ff),hex2i => 255
int(1),htonl,hex => 00000001
str(a),json(ascii) => a
req.fhdr(j),json_query('\$.a') => 1
req.hdr(jw),jwt_header_query('\$.alg') => HS256
req.hdr(jw),jwt_payload_query('\$.name') => John Doe
req.hdr(jw),jwt_verify(HS256,your-256-bit-secret) => 1
bin(MQTT),mqtt_field_value(connect,protocol_name) => MQTT
bin(MQTT),mqtt_is_valid => 1
bin(089601),protobuf(1,int32) => 150
bin(0000000003089601),ungrpc(1,int32) => 150
req.fhdr(forwarded),rfc7239_field(proto) => https
req.fhdr(forwarded),rfc7239_is_valid => 1
req.fhdr(forwarded),rfc7239_field(for),rfc7239_n2nn => ::1
req.fhdr(forwarded),rfc7239_field(for),rfc7239_n2np => 8080
str(YWJj),ub64dec => abc
str(abc),ub64enc => YWJj
str(a%20b),url_dec => a b
str(a b),url_enc => a%20b
str(caught),capture-req(1) => caught
str(abc),map(FOLDER/t.map) => one
str(abcd),map_beg(FOLDER/t.map) => one
str(abcd),map_beg_int(FOLDER/n.map) => 1
str(abcd),map_beg_ip(FOLDER/a.map) => 10.0.0.1
str(/abc/d),map_dir(FOLDER/t.map) => one
str(/abc/d),map_dir_int(FOLDER/n.map) => 1
str(/abc/d),map_dir_ip(FOLDER/a.map) => 10.0.0.1
str(x.abc.d),map_dom(FOLDER/t.map) => one
str(x.abc.d),map_dom_int(FOLDER/n.map) => 1
str(x.abc.d),map_dom_ip(FOLDER/a.map) => 10.0.0.1
str(xabc),map_end(FOLDER/t.map) => one
str(xabc),map_end_int(FOLDER/n.map) => 1
str(xabc),map_end_ip(FOLDER/a.map) => 10.0.0.1
int(7),map_int(FOLDER/it.map) => seven
int(7),map_int_int(FOLDER/in.map) => 77
int(7),map_int_ip(FOLDER/ia.map) => 10.0.0.7
src,map_ip(FOLDER/pt.map) => net
src,map_ip_int(FOLDER/pn.map) => 192
src,map_ip_ip(FOLDER/pa.map) => 10.0.0.9
str(abc),map_reg(FOLDER/t.map) => one
str(abc),map_reg_int(FOLDER/n.map) => 1
str(abc),map_reg_ip(FOLDER/a.map) => 10.0.0.1
str(abc),map_str(FOLDER/t.map) => one
str(abc),map_str_int(FOLDER/n.map) => 1
str(abc),map_str_ip(FOLDER/a.map) => 10.0.0.1
str(xabcx),map_sub(FOLDER/t.map) => one
str(xabcx),map_sub_int(FOLDER/n.map) => 1
str(xabcx),map_sub_ip(FOLDER/a.map) => 10.0.0.1
str(abcd),map_beg_key(FOLDER/t.map) => abc
str(/abc/d),map_dir_key(FOLDER/t.map) => abc
str(x.abc.d),map_dom_key(FOLDER/t.map) => abc
str(xabc),map_end_key(FOLDER/t.map) => abc
int(7),map_int_key(FOLDER/it.map) => 7
src,map_ip_key(FOLDER/pt.map) => 192.0.2.0/24
str(abc),map_reg_key(FOLDER/t.map) => abc
str(abc),map_str_key(FOLDER/t.map) => abc
str(xabcx),map_sub_key(FOLDER/t.map) => abc
str(v77),map_regm(FOLDER/m.map) => got 77
str(new),set-var(txn.set) => new
str(new),unset-var(txn.set) => new
"""

KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
NONCE = "AAAAAAAAAAAAAAAA"

MAPS = {
    "t.map": "abc one\n",
    "n.map": "abc 1\n",
    "a.map": "abc 10.0.0.1\n",
    "it.map": "7 seven\n",
    "in.map": "7 77\n",
    "ia.map": "7 10.0.0.7\n",
    "pt.map": "192.0.2.0/24 net\n",
    "pn.map": "192.0.2.0/24 192\n",
    "pa.map": "192.0.2.0/24 10.0.0.9\n",
    "m.map": r"v(\d+) got \1" + "\n",
}
"""Files that the examples name as `FOLDER/...`."""

RESPONSE = r"""
str(caught),capture-res(1) => caught
"""


def fix() -> str:
    """A message of FIX in hexadecimal digits."""
    body = b"35=A\x0149=S\x0156=T\x01"
    text = b"8=FIX.4.2\x019=%d\x01" % len(body) + body
    return (text + b"10=%03d\x01" % (sum(text) % 256)).hex()


def mqtt() -> str:
    """A CONNECT of MQTT 3.1.1 in hexadecimal digits."""
    body = b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c"
    return (bytes([16, len(body)]) + body).hex()
