package gql

import "strings"

// foldCode makes CUSTOMER_NOT_FOUND and CustomerNotFound equal.
func foldCode(code string) string { return strings.ToLower(strings.ReplaceAll(code, "_", "")) }

// lockedCode is an entity lock: another request is changing the same thing, and this one was not carried out.
const lockedCode = "objectalreadybeingusedbyanotherrequesterror"

// kinds are the codes whose name alone does not follow a rule of sentinelOf, folded. Codes of Stigg's that stand for no sentinel
// are those of its integrations and billing providers, of its own failures, and those whose name does not say whether it is the
// request or the state of things that is wrong: Error.Code tells them.
var kinds = map[string]error{
	"unauthenticated": ErrUnauthenticated,
	"apikeyexpired":   ErrUnauthenticated,
	"unauthorized":    ErrUnauthenticated,

	"identityforbidden":              ErrForbidden,
	"accessdeniederror":              ErrForbidden,
	"authcustomermismatch":           ErrForbidden,
	"authcustomerreadonly":           ErrForbidden,
	"requiredssoauthenticationerror": ErrForbidden,
	"forbidden":                      ErrForbidden,

	"ratelimitexceeded": ErrRateLimited,
	"toomanyrequests":   ErrRateLimited,

	"noactivesubscriptionforcustomer":    ErrNotFound,
	"nofeatureentitlementerror":          ErrNotFound,
	"nofeatureentitlementinsubscription": ErrNotFound,
	"nodraftofferfound":                  ErrNotFound,

	"conflict":                        ErrConflict,
	"duplicatedentitynotallowed":      ErrConflict,
	"duplicateintegrationnotallowed":  ErrConflict,
	"duplicateproductvalidationerror": ErrConflict,
	"entityisarchivederror":           ErrConflict,

	"badrequest":           ErrBadInput,
	"baduserinput":         ErrBadInput,
	"validationerror":      ErrBadInput,
	"missingentityiderror": ErrBadInput,
	"environmentmissing":   ErrBadInput,
	"amounttoolarge":       ErrBadInput,

	"addondependencymissingerror":    ErrBadInput,
	"addonquantityexceedslimiterror": ErrBadInput,
	"billingperiodmissingerror":      ErrBadInput,
	"duplicateaddonprovisionederror": ErrBadInput,
	"incompatiblesubscriptionaddon":  ErrBadInput,

	"awsmarketplaceintegrationvalidationerror": ErrBadInput,
	"integrationvalidationerror":               ErrBadInput,
	"mergeenvironmentvalidationerror":          ErrBadInput,

	"cannotreportusageforentitlementwithmetererror": ErrBadInput,
	"meteringnotavailableforfeaturetype":            ErrBadInput,
	"metermustbeassociatedtometeredfeature":         ErrBadInput,
	"entitlementusageoutofrangeerror":               ErrBadInput,
	"usagemeasurementdiffoutofrangeerror":           ErrBadInput,
	"versionexceedsmaxvalueerror":                   ErrBadInput,

	"entityiddifferentfromrefiderror":         ErrBadInput,
	"entitlementsmustbelongtosamepackage":     ErrBadInput,
	"expireatmustbelaterthaneffectiveaterror": ErrBadInput,
	"packagegroupminitemserror":               ErrBadInput,
	"subscriptionmusthavesingleplanerror":     ErrBadInput,
	"trialmustbecancelledimmediately":         ErrBadInput,

	"graphqlaliaseslimitexceeded":           ErrBadInput,
	"graphqlbatchedoperationslimitexceeded": ErrBadInput,
	"graphqlunsupporteddirective":           ErrBadInput,
	"graphqlvalidationfailed":               ErrBadInput,
	"graphqlparsefailed":                    ErrBadInput,

	"cannotaddoverrideentitlementtoplan":            ErrBadInput,
	"freeplancanthavecompatiblepackagegrouperror":   ErrBadInput,
	"editallowedondraftpackageonlyerror":            ErrConflict,
	"operationnotallowedduringinprogressexperiment": ErrConflict,
}

// sentinelOf is what a code stands for, nil when for nothing that programs branch on. Codes that are not known yet follow the
// rules that Stigg's names do.
func sentinelOf(code string) error {
	code = foldCode(code)
	if kind, ok := kinds[code]; ok {
		return kind
	}
	switch {
	case strings.Contains(code, "notfound"):
		return ErrNotFound
	case strings.Contains(code, "already"): // it is there, done, or being done
		return ErrConflict
	case strings.HasPrefix(code, "archived"), strings.HasPrefix(code, "promotioncode"), strings.HasPrefix(code, "cannot"),
		strings.Contains(code, "cantbe"), strings.Contains(code, "cannotbe"): // as things are with what it is about
		return ErrConflict
	case strings.HasPrefix(code, "invalid"), strings.HasPrefix(code, "unsupported"), strings.Contains(code, "notsupported"),
		strings.HasSuffix(code, "notallowed"):
		return ErrBadInput
	}
	return nil
}
