package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"github.com/entcache/entcache/emulator/internal/wire"
	"github.com/entcache/entcache/gql/schema"
)

// boundSchema is the schema with its resolvers: to bind it takes as long as a thousand requests, and every test makes an emulator. So
// there is one for all of them, and its resolvers find theirs in the context; see [Emulator.in].
var boundSchema = sync.OnceValues(func() (*graphql.Schema, error) {
	return graphql.ParseSchema(schema.Text, &root{},
		graphql.UseFieldResolvers(), graphql.MaxDepth(40), graphql.MaxQueryLength(1<<20),
		// Its default of a second would drop an event on a machine that is busy.
		graphql.SubscribeResolverTimeout(time.Minute),
		graphql.Logger(panicLogger{}), graphql.PanicHandler(panicHandler{}))
})

// root gives graphql-go one resolver for each kind of operation.
type root struct{}

// Query resolves queries.
func (*root) Query() *query { return &query{} }

// Mutation resolves mutations.
func (*root) Mutation() *mutation { return &mutation{} }

// Subscription resolves subscriptions.
func (*root) Subscription() *subscriptions { return &subscriptions{} }

// query answers what it builds; the embedded stubs answer the rest.
type query struct{ wire.UnbuiltQuery }

type mutation struct{ wire.UnbuiltMutation }

// resolving is what a resolver works with.
type resolving struct{ e *Emulator }

type emulatorKey struct{}

// in is a context for what is executed by this emulator.
func (e *Emulator) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, emulatorKey{}, e)
}

// of finds the emulator that is asked.
func of(ctx context.Context) resolving { return resolving{ctx.Value(emulatorKey{}).(*Emulator)} }

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
	return convertResponse(e.schema.Exec(e.in(ctx), req.Query, req.OperationName, req.Variables))
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

type panicLogger struct{}

// LogPanic is called by graphql-go.
func (panicLogger) LogPanic(ctx context.Context, value any) {
	of(ctx).e.config.Logger.ErrorContext(ctx, "panic while executing", "panic", fmt.Sprint(value))
}
