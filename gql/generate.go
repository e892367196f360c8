package gql

// The generator lives in a module of its own, outside go.work, so that its dependencies are nobody's who uses this one. CI runs
// the same line and then `git diff --exit-code gql/generated.go`.
//
//go:generate env GOWORK=off go -C ../internal/tools tool genqlient ../../gql/genqlient.yaml
