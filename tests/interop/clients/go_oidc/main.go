// Verifies tokens, one a line of its input, as a service does that uses go-oidc: keys by discovery, kept as the
// library keeps them. Says "good KID" or "refused WHY" for each.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// An access token names the service, which is not a client.
	verifier := provider.VerifierContext(ctx, &oidc.Config{SkipClientIDCheck: true})
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "ready")
	out.Flush()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 16*1024), 16*1024)
	for in.Scan() {
		if _, err := verifier.Verify(ctx, in.Text()); err != nil {
			fmt.Fprintf(out, "refused %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintf(out, "good %s\n", kid(in.Text()))
		}
		out.Flush()
	}
}

func kid(token string) string {
	var header struct {
		Kid string `json:"kid"`
	}
	text, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	_ = json.Unmarshal(text, &header)
	return header.Kid
}
