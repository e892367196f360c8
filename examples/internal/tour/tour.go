// Package tour is what the examples share, so that each shows its own part of a customer's journey and nothing else: a client,
// and a Stigg of its own for it to talk to. A service makes its client as the README shows.
package tour

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// Main runs an example against an emulator on a port of this machine, and prints "ok" when it is over. The catalog is the
// emulator's own, and a payment has to be made before a paid plan. An error ends the process with exit code 1.
func Main(run func(context.Context, *entcache.Client, *emulator.Emulator) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	err := withStigg(ctx, run)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func withStigg(ctx context.Context, run func(context.Context, *entcache.Client, *emulator.Emulator) error) error {
	catalog := emulator.DemoCatalog()
	catalog.Billing = &emulator.Billing{}
	stigg, err := emulator.New(emulator.Config{Catalog: catalog})
	if err != nil {
		return err
	}
	defer stigg.Close()
	url, err := stigg.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(url))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Start(ctx); err != nil {
		return err
	}
	return run(ctx, client, stigg)
}
