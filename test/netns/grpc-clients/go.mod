module clients

go 1.26.0

require (
	github.com/fullstorydev/grpcurl v1.9.4
	google.golang.org/grpc v1.85.0
)
