package queuetest

// CheckStory checks one promise.
func CheckStory(open Open, name string) error {
	for i, s := range stories {
		if s.name == name {
			return check(open, stories[i:i+1])
		}
	}
	panic("no promise " + name)
}
