// Calls of grpc-go on one channel: main TARGET METHOD KIND [METHOD KIND]... Prints what came of each.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// raw takes messages as they are: bytes.
type raw struct{}

func (raw) Name() string                       { return "raw" }
func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte(nil), data...); return nil }

func main() {
	channel, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		panic(err)
	}
	for i := 2; i+1 < len(os.Args); i += 2 {
		said, err := call(channel, os.Args[i], os.Args[i+1])
		if err != nil {
			fmt.Println(status.Code(err), status.Convert(err).Message())
		} else {
			fmt.Println(said)
		}
	}
}

func call(channel *grpc.ClientConn, method, kind string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if kind == "unary" {
		in, out := []byte("abcabcabc"), []byte{}
		err := channel.Invoke(ctx, method, &in, &out)
		return string(out), err
	}
	sendsMany, gets := kind != "server", kind != "client"
	stream, err := channel.NewStream(ctx, &grpc.StreamDesc{ClientStreams: sendsMany, ServerStreams: gets}, method)
	if err != nil {
		return "", err
	}
	if sendsMany {
		for i := 0; i < 100; i++ {
			message := []byte(strconv.Itoa(i))
			if err := stream.SendMsg(&message); err != nil {
				break // the status is what RecvMsg says
			}
		}
	} else {
		message := []byte("100")
		if err := stream.SendMsg(&message); err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
	}
	stream.CloseSend()
	sum := 0
	for count := 0; ; count++ {
		message := []byte{}
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			return fmt.Sprint(map[string]int{"server": count, "client": sum, "both": sum}[kind]), nil
		}
		if err != nil {
			return "", err
		}
		number, _ := strconv.Atoi(string(message))
		sum += number
		if !gets {
			return fmt.Sprint(sum), nil
		}
	}
}
