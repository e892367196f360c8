package main

import (
	"fmt"

	"github.com/entcache/entcache"
)

const (
	customers = 24
	resources = 8 // the first customers have one each
)

// subject is a feature or currency of the demo catalog that readers ask about.
type subject struct {
	id       string
	currency bool
	metered  bool // it has usage of its own
	paid     bool // a wallet has a say in access, so the judge leaves that to others
	amount   float64
	value    string
}

var subjects = []subject{
	{id: "sso"},
	{id: "themes", value: "dark"},
	{id: "upload-size"},
	{id: "api-calls", amount: 50, metered: true},
	{id: "seats", amount: 1, metered: true},
	{id: "ai-answers", amount: 1, metered: true, paid: true},
	{id: "ai-credits", amount: 10, currency: true, metered: true, paid: true},
}

// themes are the values that a sight of an enum is told apart by.
var themes = []string{"light", "dark", "high-contrast"}

// question is what a reader asks over and over.
type question struct {
	query   entcache.Query
	key     int // in keys
	subject int // in subjects
}

// keys are the customers, and then the resources.
func keys() []entcache.Key {
	var list []entcache.Key
	for i := range customers {
		list = append(list, entcache.Key{CustomerID: fmt.Sprintf("customer-%02d", i)})
	}
	for i := range resources {
		list = append(list, entcache.Key{CustomerID: list[i].CustomerID, ResourceID: "site"})
	}
	return list
}

func questions(keys []entcache.Key) []question {
	var list []question
	for k, key := range keys {
		for i, s := range subjects {
			q := question{key: k, subject: i, query: entcache.Query{CustomerID: key.CustomerID, ResourceID: key.ResourceID, RequestedUsage: s.amount}}
			if s.currency {
				q.query.CurrencyID = s.id
			} else {
				q.query.FeatureID = s.id
			}
			if s.value != "" {
				q.query.RequestedValues = []string{s.value}
			}
			list = append(list, q)
		}
	}
	return list
}
