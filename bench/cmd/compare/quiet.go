package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tolerated is how many processors' worth others may take while something is measured.
const tolerated = 0.12

// busy is what the whole machine has worked since it started, as far as it tells.
type busy struct {
	at     time.Time
	worked time.Duration
	known  bool
}

func readBusy() busy {
	text, err := os.ReadFile("/proc/stat") // Linux alone has one
	if err != nil {
		return busy{}
	}
	worked, err := parseStat(text)
	return busy{time.Now(), worked, err == nil}
}

// tick is the unit of /proc/stat, USER_HZ, which is the same on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// parseStat adds up the first line of /proc/stat but for idling and waiting for disks. Time stolen by the machine below is worked by
// somebody else, and counts.
func parseStat(text []byte) (time.Duration, error) {
	line, err := bufio.NewReader(bytes.NewReader(text)).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) < 9 || words[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var ticks int64
	for i, word := range words[1:9] { // user nice system idle iowait irq softirq steal; guests are in user and nice already
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, nil
}

// others is how many processors' worth everybody else took between two moments; -1 when it cannot be told.
func others(before, after busy, own time.Duration) float64 {
	elapsed := after.at.Sub(before.at)
	if !before.known || !after.known || elapsed <= 0 {
		return -1
	}
	return max(0, (after.worked-before.worked-own).Seconds()/elapsed.Seconds())
}

func disturbed(others float64) bool { return others > tolerated }
