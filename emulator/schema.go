package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"github.com/entcache/entcache/emulator/internal/wire"
	"github.com/entcache/entcache/gql/schema"
)

// parsedSchema is the schema without resolvers: parsing costs milliseconds, and every test makes an emulator.
var parsedSchema = sync.OnceValues(func() (*graphql.Schema, error) {
	return graphql.ParseSchema(schema.Text, nil,
		graphql.UseFieldResolvers(), graphql.MaxDepth(40), graphql.MaxQueryLength(1<<20),
		// Its default of a second would drop an event on a machine that is busy.
		graphql.SubscribeResolverTimeout(time.Minute))
})

func newSchema(e *Emulator) (*graphql.Schema, error) {
	parsed, err := parsedSchema()
	if err != nil {
		return nil, err
	}
	return parsed.Clone(&root{e}, graphql.Logger(panicLogger{e.config.Logger}), graphql.PanicHandler(panicHandler{}))
}

// root gives graphql-go one resolver for each kind of operation.
type root struct{ e *Emulator }

// Query resolves queries.
func (r *root) Query() *query { return &query{e: r.e} }

// Mutation resolves mutations.
func (r *root) Mutation() *mutation { return &mutation{e: r.e} }

// Subscription resolves subscriptions.
func (r *root) Subscription() *subscriptions { return &subscriptions{} }

// query answers what it builds; the embedded stubs answer the rest.
type query struct {
	wire.UnbuiltQuery
	e *Emulator
}

type mutation struct {
	wire.UnbuiltMutation
	e *Emulator
}

// request is one GraphQL request as it is posted, or carried by a subscribe message.
type request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// response is a GraphQL response with the API's error shape.
type response struct {
	Data   json.RawMessage `json:"data,omitempty"`
	Errors []wireError     `json:"errors,omitempty"`
}

type wireError struct {
	Message    string         `json:"message"`
	Path       []any          `json:"path,omitempty"`
	Extensions map[string]any `json:"extensions"`
}

func newWireError(code, message string) wireError {
	return wireError{Message: message, Extensions: map[string]any{"code": code, "traceId": newTraceID()}}
}

func failure(code, message string) *response {
	return &response{Errors: []wireError{newWireError(code, message)}}
}

// execute runs a query or mutation.
func (e *Emulator) execute(ctx context.Context, req request) *response {
	return convertResponse(e.schema.Exec(ctx, req.Query, req.OperationName, req.Variables))
}

// convertResponse gives each error the code and trace id the API would.
func convertResponse(r *graphql.Response) *response {
	out := &response{Data: r.Data}
	for _, err := range r.Errors {
		w := newWireError(codeOfQueryError(err), err.Message)
		w.Path = err.Path
		out.Errors = append(out.Errors, w)
	}
	if len(out.Errors) > 0 && string(out.Data) == "{}" {
		out.Data = nil // arguments that could not be decoded: nothing was executed
	}
	return out
}

func codeOfQueryError(err *gqlerrors.QueryError) string {
	switch {
	case err.ResolverError != nil:
		return codeOf(err.ResolverError)
	case err.Rule == "VariablesOfCorrectType":
		return codeBadUserInput
	case err.Rule != "":
		return codeValidationFailed
	case errors.Is(err, gqlerrors.ErrSyntax):
		return codeParseFailed
	case err.Path != nil:
		return codeUnexpected
	default:
		return codeBadUserInput
	}
}

// panicHandler keeps the detail of a panic out of the answer.
type panicHandler struct{}

// MakePanicError is called by graphql-go.
func (panicHandler) MakePanicError(context.Context, any) *gqlerrors.QueryError {
	return gqlerrors.Errorf("the request could not be processed")
}

type panicLogger struct{ logger *slog.Logger }

// LogPanic is called by graphql-go.
func (l panicLogger) LogPanic(ctx context.Context, value any) {
	l.logger.ErrorContext(ctx, "panic while executing", "panic", fmt.Sprint(value))
}
