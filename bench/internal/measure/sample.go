package measure

import (
	"encoding/json"
	"fmt"
	"io"
)

// Values are what was measured, by unit: "ns/op", "allocs/op", "B/customer".
type Values map[string]float64

// Sample is one line of a program that measures.
type Sample struct {
	Subject string `json:"subject"`
	Shape   string `json:"shape"`
	Values  Values `json:"values"`
}

// Write writes s as a line.
func (s Sample) Write(w io.Writer) error {
	line, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("%s/%s: %w", s.Subject, s.Shape, err) // a value that is no number
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// ReadSamples reads what a program wrote.
func ReadSamples(r io.Reader) ([]Sample, error) {
	var list []Sample
	for lines := json.NewDecoder(r); ; {
		var s Sample
		switch err := lines.Decode(&s); {
		case err == io.EOF:
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("line %d is no sample: %w", len(list)+1, err)
		case s.Subject == "" || s.Shape == "" || len(s.Values) == 0:
			return nil, fmt.Errorf("line %d names no subject, no shape or no value", len(list)+1)
		}
		list = append(list, s)
	}
}
