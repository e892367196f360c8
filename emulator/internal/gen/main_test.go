package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/graph-gophers/graphql-go"

	"github.com/entcache/entcache/gql/schema"
)

func TestGeneratedCodeIsCurrentAndDeterministic(t *testing.T) {
	committed, err := os.ReadFile("../wire/generated.go")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s, err := graphql.ParseSchema(schema.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := generate(s.AST(), "wire")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, committed) {
			t.Fatal("emulator/internal/wire/generated.go is stale: run go generate ./emulator/...")
		}
	}
}

func TestGeneratorRefusesWhatItWouldGetWrong(t *testing.T) {
	for name, text := range map[string]string{
		"an interface":         "interface I{a:Int} type Query implements I{a:Int}",
		"an argument below":    "type Query{a:A} type A{b(c:Int):Int}",
		"a default of a field": "type Query{a(b:B):Int} input B{c:Int=1}",
	} {
		s, err := graphql.ParseSchema(text, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := generate(s.AST(), "p"); err == nil {
			t.Errorf("%s was generated", name)
		}
	}
}

func TestExportedNames(t *testing.T) {
	for name, want := range map[string]string{
		"customerId": "CustomerID", "id": "ID", "END_OF_BILLING_PERIOD": "EndOfBillingPeriod", "ACTIVE": "Active",
		"cancelUrl": "CancelURL", "entitlementsV2": "EntitlementsV2", "None": "None",
	} {
		if got := exported(name); got != want {
			t.Errorf("exported(%q) = %q, want %q", name, got, want)
		}
	}
}
