package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entcache/entcache/bench/internal/measure"
)

// inGRPC is a unary call over TCP with the smallest messages there are: the two ids in a string, the answer in a bool.
type inGRPC struct {
	conn    *grpc.ClientConn
	server  *grpc.Server
	serving sync.WaitGroup
}

const method = "/bench.Entitlements/Check"

func check(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var q wrapperspb.StringValue
	if err := decode(&q); err != nil {
		return nil, err
	}
	customer, feature, _ := strings.Cut(q.Value, "/")
	return wrapperspb.Bool(customer != "" && feature != ""), nil
}

func openGRPC(measure.Data) (measure.Store, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &inGRPC{server: grpc.NewServer()}
	s.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Entitlements", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Check", Handler: check}},
	}, s)
	s.serving.Go(func() { _ = s.server.Serve(l) })
	if s.conn, err = grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		s.server.Stop()
		s.serving.Wait()
		return nil, err
	}
	return s, nil
}

func (s *inGRPC) Ask(walk []measure.Question, from, n int) int {
	ctx := context.Background()
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		var a wrapperspb.BoolValue
		if err := s.conn.Invoke(ctx, method, wrapperspb.String(p.Customer+"/"+p.Feature), &a); err == nil && a.Value {
			yes++
		}
	}
	return yes
}

func (s *inGRPC) Close() {
	_ = s.conn.Close()
	s.server.Stop()
	s.serving.Wait()
}

// inGraphQL is a POST of net/http, of a query for one entitlement, and the decoding of the two fields that answer it.
type inGraphQL struct {
	client *http.Client
	server *loopback
}

const query = `query Check($customerId: String!, $featureId: String!) { entitlement(query: {customerId: $customerId, featureId: $featureId}) { isGranted usageLimit currentUsage } }`

func openGraphQL(measure.Data) (measure.Store, error) {
	server, err := listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"entitlement":{"isGranted":true,"usageLimit":1000,"currentUsage":17}}}`)
	}))
	if err != nil {
		return nil, err
	}
	return &inGraphQL{&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, server}, nil
}

func (s *inGraphQL) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		if p := &walk[i&(len(walk)-1)]; s.check(p.Customer, p.Feature) {
			yes++
		}
	}
	return yes
}

func (s *inGraphQL) check(customer, feature string) bool {
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]string{"customerId": customer, "featureId": feature}})
	if err != nil {
		return false
	}
	res, err := s.client.Post(s.server.url+"/graphql", "application/json", strings.NewReader(string(body)))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	var reply struct {
		Data struct {
			Entitlement struct {
				IsGranted  bool
				UsageLimit float64
			}
		}
	}
	if json.NewDecoder(res.Body).Decode(&reply) != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return reply.Data.Entitlement.IsGranted && reply.Data.Entitlement.UsageLimit >= 1
}

func (s *inGraphQL) Close() {
	s.client.CloseIdleConnections()
	s.server.close()
}
