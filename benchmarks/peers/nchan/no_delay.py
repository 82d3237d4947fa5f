"""Start nginx with a listening socket whose connections do not wait for acknowledgements (TCP_NODELAY).

nchan has no setting for it. Without it the second of two small messages waits until the first is acknowledged
and is then sent by the kernel where that arrives: on the load client's core, which is at its limit before
nchan is. `python no_delay.py PORT NGINX [ARGUMENT …]`; nginx takes over what the variable NGINX names, as it
does after an upgrade.
"""

import os
import socket
import sys

port, *command = sys.argv[1:]
with socket.socket() as listening:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # those that are accepted have it, too
    listening.bind(("127.0.0.1", int(port)))
    listening.listen(4096)
    listening.setblocking(False)  # nginx takes it as it is
    listening.set_inheritable(True)
    os.execve(command[0], command, {**os.environ, "NGINX": f"{listening.fileno()};"})
