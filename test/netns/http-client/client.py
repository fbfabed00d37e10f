"""A client of HTTP/1.1 that keeps its connection: client.py LIBRARY ADDRESS PORT METHOD BYTES FRAMING EXPECTS

Asks for what is allowed, sends a request that is denied, asks again, and prints the three statuses. LIBRARY is http.client, or requests (urllib3).
"""

import http.client
import sys

library, address, port, method, size, framing, expects = sys.argv[1:]
content = b"x" * int(size)
headers = {"Expect": "100-continue"} if expects == "expect" else {}
url = f"http://{address}:{port}"


def body():
    if framing != "chunked":
        return content
    return (content[at : at + 8000] for at in range(0, len(content), 8000))


def by_http_client():
    connection = http.client.HTTPConnection(address, int(port), timeout=60)

    def ask(method, path, **options):
        try:
            connection.request(method, path, **options)
        except BrokenPipeError:
            pass  # it was answered while it still sent, as urllib3 has it
        response = connection.getresponse()
        response.read()
        return response.status

    chunked = {"Transfer-Encoding": "chunked"} if framing == "chunked" else {}
    options = {"headers": headers} if method == "GET" else {"body": body(), "headers": {**headers, **chunked}}
    return [ask("GET", "/public/"), ask(method, "/private", encode_chunked=framing == "chunked", **options), ask("GET", "/public/")]


def by_requests():
    import requests

    with requests.Session() as session:
        options = {"headers": headers} if method == "GET" else {"data": body(), "headers": headers}
        return [
            session.get(url + "/public/", timeout=60).status_code,
            session.request(method, url + "/private", timeout=60, **options).status_code,
            session.get(url + "/public/", timeout=60).status_code,
        ]


print(*{"http.client": by_http_client, "requests": by_requests}[library]())
