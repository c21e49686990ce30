// The main job by stubs that protoc-gen-go and protoc-gen-go-grpc have made of proto/, over TLS.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	v1 "argus.test/go_stubs/argus/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Where, and as whom.
type job struct {
	Address, Authority, Parent, ClientID, ClientSecret, User string
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// Code and reason of a refusal.
func reason(err error) string {
	told := status.Convert(err)
	for _, detail := range told.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return told.Code().String() + " " + info.Reason
		}
	}
	return told.Code().String()
}

func main() {
	var job job
	must(0, json.NewDecoder(os.Stdin).Decode(&job))
	trusted := must(credentials.NewClientTLSFromFile(job.Authority, ""))
	connection := must(grpc.NewClient(job.Address, grpc.WithTransportCredentials(trusted)))
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	tokens, sessions := v1.NewTokenServiceClient(connection), v1.NewSessionServiceClient(connection)
	issued := must(tokens.IssueClientToken(ctx, &v1.IssueClientTokenRequest{
		Parent: job.Parent, ClientId: job.ClientID, ClientSecret: job.ClientSecret,
	}))
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+issued.Tokens.AccessToken)

	created := must(sessions.CreateSession(ctx, &v1.CreateSessionRequest{Parent: job.User}))
	verified := must(tokens.VerifyAccessToken(ctx, &v1.VerifyAccessTokenRequest{AccessToken: created.Tokens.AccessToken}))
	refreshed := must(tokens.RefreshToken(ctx, &v1.RefreshTokenRequest{RefreshToken: created.Tokens.RefreshToken}))
	again := must(tokens.VerifyAccessToken(ctx, &v1.VerifyAccessTokenRequest{AccessToken: refreshed.Tokens.AccessToken}))
	listed := must(sessions.ListSessions(ctx, &v1.ListSessionsRequest{Parent: job.User}))
	must(sessions.TerminateSession(ctx, &v1.TerminateSessionRequest{Name: created.Session.Name}))
	_, refused := tokens.VerifyAccessToken(ctx, &v1.VerifyAccessTokenRequest{AccessToken: refreshed.Tokens.AccessToken})
	watching := must(health.NewHealthClient(connection).Watch(ctx, &health.HealthCheckRequest{}))
	serving := must(watching.Recv())

	must(0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"session": created.Session.Name, "verified": verified.Session, "again": again.Session,
		"listed": len(listed.Sessions), "ended": reason(refused), "health": serving.Status.String(),
	}))
}
