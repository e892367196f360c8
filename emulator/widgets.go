package emulator

import (
	"slices"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// widgets are the API's names of those of a catalog.
var widgets = map[Widget]wire.WidgetType{
	PaywallWidget: wire.WidgetTypePaywall, CustomerPortalWidget: wire.WidgetTypeCustomerPortal, CheckoutWidget: wire.WidgetTypeCheckout,
}

func widgetsOf(list []Widget) *[]wire.WidgetType {
	types := []wire.WidgetType{}
	for _, w := range list {
		types = append(types, widgets[w])
	}
	return &types
}

// hides reports whether what is hidden from some widgets is hidden from one.
func hides(from []Widget, w wire.WidgetType) bool {
	return slices.ContainsFunc(from, func(h Widget) bool { return widgets[h] == w })
}

// How widgets look. There is nothing to configure: whoever tests a page wants something to be there.
const (
	colourPrimary    = "#327EEE"
	colourText       = "#1E1E1E"
	colourBackground = "#FFFFFF"
	colourBorder     = "#E1E6EC"
	colourSubdued    = "#F5F6F9"
)

func paywallLook() *wire.PaywallConfiguration {
	return &wire.PaywallConfiguration{
		Palette: &wire.PaywallColorsPalette{
			Primary: new(colourPrimary), TextColor: new(colourText), BackgroundColor: new(colourBackground), BorderColor: new(colourBorder),
			CurrentPlanBackground: new(colourSubdued),
		},
		Layout: &wire.PaywallLayoutConfiguration{
			Alignment: new(wire.AlignmentCenter), PlanWidth: new(240.0), PlanMargin: new(20.0), PlanPadding: new(20.0),
		},
		Typography: typography(), CustomCss: new(""),
	}
}

func portalLook() *wire.CustomerPortalConfiguration {
	return &wire.CustomerPortalConfiguration{
		Palette: &wire.CustomerPortalColorsPalette{
			Primary: new(colourPrimary), TextColor: new(colourText), BackgroundColor: new(colourBackground), BorderColor: new(colourBorder),
			CurrentPlanBackground: new(colourSubdued), IconsColor: new(colourPrimary), PaywallBackgroundColor: new(colourSubdued),
		},
		Typography: typography(), CustomCss: new(""),
	}
}

func checkoutLook() *wire.CheckoutConfiguration {
	return &wire.CheckoutConfiguration{
		Palette: &wire.CheckoutColorPalette{
			Primary: new(colourPrimary), TextColor: new(colourText), BackgroundColor: new(colourBackground), BorderColor: new(colourBorder),
			SummaryBackgroundColor: new(colourSubdued),
		},
		Content: &wire.CheckoutContent{CollectPhoneNumber: new(false)}, Typography: typography(), CustomCss: new(""),
	}
}

func typography() *wire.TypographyConfiguration {
	font := func(size float64, weight wire.FontWeight) *wire.FontVariant {
		return &wire.FontVariant{FontSize: &size, FontWeight: &weight}
	}
	return &wire.TypographyConfiguration{
		FontFamily: new("sans-serif"), H1: font(24, wire.FontWeightBold), H2: font(20, wire.FontWeightBold), H3: font(16, wire.FontWeightBold),
		Body: font(14, wire.FontWeightNormal),
	}
}
