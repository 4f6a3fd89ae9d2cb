"""The Python client of the node: chat in any regime, jobs, models, power.

    from regime3.client import Client

    with Client("http://127.0.0.1:8765") as node:
        reply = node.chat("Find gcd(462, 147).", regime=3, problem="(gcd 462 147)")
        print(reply.answer, reply.verdict)

Ordinary OpenAI clients serve too, at `/v1`; this one knows the rest of the node.
"""

from regime3.client.address import node_address
from regime3.client.client import Client
from regime3.client.replies import Delta, Reply

__all__ = ["Client", "Delta", "Reply", "node_address"]
