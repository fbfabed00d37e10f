// A client of HTTP/1.1 that keeps its connection: client ADDRESS PORT METHOD BYTES FRAMING EXPECTS
//
// Asks for what is allowed, sends a request that is denied, asks again, and prints the three statuses.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	base := "http://" + os.Args[1] + ":" + os.Args[2]
	method, framing, expects := os.Args[3], os.Args[5], os.Args[6]
	size, _ := strconv.Atoi(os.Args[4])
	transport := &http.Transport{MaxConnsPerHost: 1, ExpectContinueTimeout: 30 * time.Second}
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	ask := func(method, path string) int {
		var body io.Reader
		if method != "GET" {
			body = bytes.NewReader(make([]byte, size))
			if framing == "chunked" {
				body = io.MultiReader(body) // of a type whose length is not known
			}
		}
		request, err := http.NewRequest(method, base+path, body)
		if err == nil && method != "GET" && expects == "expect" {
			request.Header.Set("Expect", "100-continue")
		}
		response, err := client.Do(request)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		return response.StatusCode
	}
	fmt.Println(ask("GET", "/public/"), ask(method, "/private"), ask("GET", "/public/"))
}
