package emulator

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// Error codes of the API that the emulator answers with, in the API's spelling.
const (
	codeBadUserInput     = "BadUserInput"
	codeUnauthenticated  = "Unauthenticated"
	codeUnexpected       = "UnexpectedError"
	codeNotImplemented   = "NotImplementedByEmulator" // ours: the field exists and is not built
	codeParseFailed      = "GRAPHQL_PARSE_FAILED"
	codeValidationFailed = "GRAPHQL_VALIDATION_FAILED"

	codeCustomerNotFound     = "CustomerNotFound"
	codeFeatureNotFound      = "FeatureNotFound"
	codePlanNotFound         = "PlanNotFound"
	codeProductNotFound      = "ProductNotFoundError"
	codeSubscriptionNotFound = "SubscriptionNotFound"

	codeInvalidCancellationDate = "InvalidCancellationDate"
)

// apiError is an error with a code of the API. graphql-go asks it for its extensions.
type apiError struct {
	code, message string
}

func errorf(code, format string, args ...any) error {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// Error is the message of the wire.
func (e *apiError) Error() string { return e.message }

// codeOf names the code of an error a resolver returned.
func codeOf(err error) string {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*wire.NotBuilt](err); ok {
		return codeNotImplemented
	}
	return codeUnexpected
}

// newTraceID looks like what Stigg's support asks for. It identifies nothing.
func newTraceID() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) }
