package emulator

import _ "embed"

//go:embed catalog.schema.json
var catalogSchema string

// CatalogSchema is the JSON schema of a catalog, for editors and for checks elsewhere. [ParseCatalog] checks more than it can say,
// such as that what is referred to exists.
func CatalogSchema() string { return catalogSchema }
