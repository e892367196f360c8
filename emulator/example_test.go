package emulator_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/entcache/entcache/emulator"
)

// A client in the same process, over memory: no port, and inside a testing/synctest bubble, virtual time.
func Example() {
	e, err := emulator.New(emulator.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	// What an operator would do: a customer on the plan "starter", with some usage.
	if err := e.Provision("acme", "", "starter"); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := e.Report("acme", "", "seats", 3); err != nil {
		fmt.Println(err)
		return
	}

	// What a client in any language would do.
	pipe := e.Pipe()
	client := &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext, DisableKeepAlives: true}}
	ask := func() {
		body := `{"query":"{entitlement(query:{customerId:\"acme\",featureId:\"seats\",options:{requestedUsage:3}}){isGranted accessDeniedReason currentUsage usageLimit}}"}`
		req, err := http.NewRequest("POST", pipe.URL()+"/graphql", strings.NewReader(body))
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("X-API-KEY", emulator.DefaultAPIKey)
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, string(answer))
	}
	ask()

	// What a bad day would do.
	e.Faults().FailNext(1, emulator.Reply{Status: 503, Body: "try later"})
	ask()

	// Output:
	// 200 {"data":{"entitlement":{"isGranted":false,"accessDeniedReason":"RequestedUsageExceedingLimit","currentUsage":3,"usageLimit":5}}}
	// 503 try later
}
