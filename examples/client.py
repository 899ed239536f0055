#!/usr/bin/env python3
"""libipsec from Python, by ctypes alone: what a builder finds wrong is named, and a good
one connects, if an address is given: client.py [ADDRESS:PORT [SECRET]]"""
import ctypes
import sys

ipsec = ctypes.CDLL("libipsec.so.0")


class Fault(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("setting", ctypes.c_char_p),
                ("item", ctypes.c_int), ("text", ctypes.c_char * 240)]


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("error", ctypes.c_int)] + [
        (name, ctypes.c_char_p) for name in ("text", "ours", "theirs", "difference",
                                             "setting", "peer_id", "peer_address")]


ON_EVENT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p,
                            ctypes.POINTER(Event))


class Callbacks(ctypes.Structure):
    _fields_ = [("event", ON_EVENT), ("packets", ctypes.c_void_p)]


def declare(name, result, *arguments):
    function = getattr(ipsec, name)
    function.restype, function.argtypes = result, arguments
    return function


P, S, U = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint
builder_new = declare("ipsec_builder_new", P)
builder_free = declare("ipsec_builder_free", None, P)
set_local_id = declare("ipsec_builder_set_local_id", None, P, S)
set_remote_id = declare("ipsec_builder_set_remote_id", None, P, S)
set_psk = declare("ipsec_builder_set_psk", None, P, S, ctypes.c_size_t)
add_esp_proposal = declare("ipsec_builder_add_esp_proposal", None, P, S)
build = declare("ipsec_client_config_build", P, P, ctypes.POINTER(Fault), U,
                ctypes.POINTER(U))
config_free = declare("ipsec_client_config_free", None, P)
fault_name = declare("ipsec_fault_name", S, ctypes.c_int)
event_name = declare("ipsec_event_name", S, ctypes.c_int)
error_text = declare("ipsec_error_text", S, ctypes.c_int)
client_new = declare("ipsec_client_new", P, P, ctypes.POINTER(Callbacks), P)
client_free = declare("ipsec_client_free", None, P)
client_connect = declare("ipsec_client_connect", ctypes.c_int, P, S)
client_why = declare("ipsec_client_why", S, P)
client_is_up = declare("ipsec_client_is_up", ctypes.c_bool, P)
client_wait = declare("ipsec_client_wait", ctypes.c_bool, P, ctypes.c_int64)
client_shutdown = declare("ipsec_client_shutdown", None, P)
ipsec_now = declare("ipsec_now", ctypes.c_int64)


def make(**settings):
    """A config, or the faults."""
    builder, faults, n = builder_new(), (Fault * 8)(), U()
    set_local_id(builder, settings["local"])
    set_remote_id(builder, settings["remote"])
    set_psk(builder, settings["secret"], len(settings["secret"]))
    if "esp" in settings:
        add_esp_proposal(builder, settings["esp"])
    config = build(builder, faults, 8, ctypes.byref(n))
    builder_free(builder)
    return config, faults[:n.value]


def talk(config, address):
    """Connects, waits for the outcome, and leaves again."""
    outcome = []

    @ON_EVENT
    def said(_arg, _client, event):
        event = event.contents
        name = event_name(event.type).decode()
        outcome.append(name)
        print(f"{name}: {event.text.decode()}")

    client = client_new(config, ctypes.byref(Callbacks(said, None)), None)
    error = client_connect(client, address)
    if error:
        sys.exit(f"{error_text(error).decode()} {client_why(client).decode()}")
    in_20_seconds = ipsec_now() + 20_000_000
    while client_wait(client, in_20_seconds) and "failed" not in outcome:
        if client_is_up(client):
            client_shutdown(client)
    client_free(client)
    return "up" in outcome and "shut down" in outcome


def main():
    secret = sys.argv[2].encode() if len(sys.argv) > 2 else b"correct horse"
    config, faults = make(local=b"", remote=b"no one@", secret=b"", esp=b"des")
    for fault in faults:
        print(f"{fault_name(fault.code).decode()}: {fault.setting.decode()}: "
              f"{fault.text.decode()}")
    if config or len(faults) < 3:
        sys.exit("a bad configuration was taken")

    config, faults = make(local=b"client.example", remote=b"server.example",
                          secret=secret)
    if not config:
        sys.exit("a good configuration was not taken: " + faults[0].text.decode())
    good = len(sys.argv) < 2 or talk(config, sys.argv[1].encode())
    config_free(config)
    sys.exit(not good)


if __name__ == "__main__":
    main()
