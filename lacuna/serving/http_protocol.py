"""What uvicorn itself says of a request that is none, in the form of every other error."""

import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lacuna.serving.refusals import malformed_http


class JsonErrors(H11Protocol):
    """uvicorn's HTTP/1.1 with its one error in JSON: what h11 cannot read never comes as far as the application."""

    def send_400_response(self, msg: str) -> None:
        refusal = malformed_http()
        headers = [("content-type", "application/json"), ("connection", "close"), ("cache-control", "no-store")]
        content = json.dumps(refusal.content()).encode()
        for event in (
            h11.Response(status_code=refusal.status, headers=headers, reason="Bad Request"),
            h11.Data(data=content),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()
