// Command stigg-emulator runs a local Stigg for clients in any language.
//
// Usage:
//
//	stigg-emulator [-listen 127.0.0.1:4000] [-catalog FILE] [-api-key KEY] [-allow-remote] [-v]
//	               [-control 127.0.0.1:4001] [-history N] [-request-log N] [-rate-limits] [-state FILE]
//	stigg-emulator -print-catalog > catalog.yaml
//	stigg-emulator -print-catalog-schema > catalog.schema.json
//
// It serves GraphQL over POST and WebSocket on /graphql and the Edge API below /v1/, prints one line once it listens, and
// runs until it is interrupted. It keeps everything in memory; see -state. Without -catalog it sells the demo catalog. It listens on
// loopback addresses only, since there is no encryption, unless -allow-remote is given.
//
// With -control it also serves, on a second address that is always loopback, the interface by which a test in any language
// makes it misbehave, acts as its operator, and reads what it had and what it was asked:
//
//	curl -s 127.0.0.1:4001/                                                     # what there is, and what each takes
//	curl -s 127.0.0.1:4001/provision -d '{"customerId":"acme","planId":"growth"}'
//	curl -s 127.0.0.1:4001/faults/refuse -d '{"on":true,"for":"3s"}'
//	curl -s '127.0.0.1:4001/history?customerId=acme'                            # needs -history
//
// The documentation of package emulator describes it.
//
// With -state it begins with the state in FILE, if there is one, and saves its own there when it is interrupted: the catalog,
// the customers with all they have, what was used, the API keys (FILE is readable by its owner only), the clock. The catalog is
// then that of FILE, and -catalog is what a new FILE begins with; the key of -api-key is accepted besides those of FILE. The time
// between passes for the account as well: a trial may have ended meanwhile. FILE is replaced as a whole, at the end: an emulator
// that is killed leaves the old one as it was. A FILE that cannot be read as a state is an error, and is left alone: delete it
// to begin anew, or move it away. Two emulators must not share one: the last to end would win.
//
// Exit codes: 0 after an interrupt, 1 when it cannot serve, 2 for a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/entcache/entcache/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything it touches given; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("stigg-emulator", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var (
		listen       = flags.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 takes a free one")
		catalog      = flags.String("catalog", "", "YAML `file` of features and plans; default: the demo catalog")
		key          = flags.String("api-key", emulator.DefaultAPIKey, "the `key` clients have to send")
		control      = flags.String("control", "", "second, loopback `address` for the control interface; default: none")
		history      = flags.Int("history", 0, "keep the latest `N` states of each customer and resource, for the control interface")
		requestLog   = flags.Int("request-log", 0, "keep the latest `N` requests, for the control interface")
		rateLimits   = flags.Bool("rate-limits", false, "answer 429 beyond the rate limits that Stigg documents")
		allowRemote  = flags.Bool("allow-remote", false, "allow an address that other machines can reach; there is no encryption")
		printCatalog = flags.Bool("print-catalog", false, "print the demo catalog and exit")
		printSchema  = flags.Bool("print-catalog-schema", false, "print the JSON schema of catalogs and exit")
		state        = flags.String("state", "", "`file` to begin with, if it exists, and to save everything to on exit; default: forget everything")
		verbose      = flags.Bool("v", false, "log every request and socket to standard error")
	)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "stigg-emulator: unexpected argument %q\n", flags.Arg(0))
		return 2
	case *key == "":
		fmt.Fprintln(stderr, "stigg-emulator: -api-key must not be empty")
		return 2
	}
	if *printCatalog {
		fmt.Fprint(stdout, emulator.DemoCatalogYAML())
		return 0
	}
	if *printSchema {
		fmt.Fprint(stdout, emulator.CatalogSchema())
		return 0
	}
	for _, a := range []struct{ flag, addr string }{{"listen", *listen}, {"control", *control}} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil && a.addr != "" {
			fmt.Fprintf(stderr, "stigg-emulator: -%s %s is not an address with a port, such as 127.0.0.1:4000\n", a.flag, a.addr)
			return 2
		}
	}
	if !*allowRemote && !loopback(*listen) {
		fmt.Fprintf(stderr, "stigg-emulator: %s can be reached from other machines; use a loopback address, or -allow-remote\n", *listen)
		return 2
	}

	if *control != "" && !loopback(*control) {
		fmt.Fprintf(stderr, "stigg-emulator: -control %s can be reached from other machines; use a loopback address\n", *control)
		return 2
	}
	if *history < 0 || *requestLog < 0 {
		fmt.Fprintln(stderr, "stigg-emulator: -history and -request-log count from 0")
		return 2
	}

	config := emulator.Config{APIKeys: []string{*key}, History: *history, RequestLog: *requestLog, RateLimits: *rateLimits}
	if *verbose {
		config.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if err := serve(ctx, config, *catalog, *state, *listen, *control, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "stigg-emulator:", err)
		return 1
	}
	return 0
}

// serve runs the emulator until ctx ends.
func serve(ctx context.Context, config emulator.Config, catalog, state, listen, control string, stdout, stderr io.Writer) error {
	if catalog != "" {
		text, err := os.ReadFile(catalog)
		if err != nil {
			return err
		}
		if config.Catalog, err = emulator.ParseCatalog(text); err != nil {
			return fmt.Errorf("%s:\n%w", catalog, err)
		}
		if c := config.Catalog; len(c.Features) == 0 || len(c.Plans) == 0 {
			fmt.Fprintf(stderr, "stigg-emulator: warning: %s has %d features and %d plans: no customer will have anything, until a catalog is published\n",
				catalog, len(c.Features), len(c.Plans))
		}
	}
	e, err := emulator.New(config)
	if err != nil {
		return err
	}
	defer e.Close()
	if state != "" {
		loaded, err := load(e, state)
		if err != nil {
			return err
		}
		e.AddAPIKey(config.APIKeys[0])
		if loaded && catalog != "" {
			fmt.Fprintf(stderr, "stigg-emulator: warning: the catalog is that of %s: %s is only for a new one\n", state, catalog)
		}
	}
	url, err := e.Listen(listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Stigg emulator at %s with API key %s; try: "+
		`curl -s %s/graphql -H 'X-API-KEY: %s' -H 'Content-Type: application/json' -d '{"query":"{sdkConfiguration{showWatermark}}"}'`+"\n",
		url, config.APIKeys[0], url, config.APIKeys[0])
	if control != "" {
		url, err := e.ListenControl(control)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "Control interface at %s; try: curl -s %s/\n", url, url)
	}
	<-ctx.Done()
	if err := e.Close(); err != nil || state == "" {
		return err
	}
	return save(state, e.Dump) // closed: nothing changes any more
}

// loopback reports whether only this machine can reach the address. A name is trusted only if it is localhost.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
