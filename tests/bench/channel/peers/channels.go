// SPDX-License-Identifier: MIT
// Go's channels: `go-channels goroutines|locked MILLISECONDS CPUS SCENARIO...`, output as in harness.hpp.
// Goroutines cannot be pinned, so these know no split placement; locked ones own an OS thread each.
package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	roundTripCapacity = 64
	hold              = 200 * time.Microsecond
	idleTrip          = 600_000 // nanoseconds, about, with both sleeps
)

var (
	locked bool
	cpus   []int
)

func pin(cpu int) {
	var mask [16]uint64
	mask[cpu/64] |= 1 << (cpu % 64)
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	if errno != 0 {
		panic(errno)
	}
}

// Nanoseconds from when the first body began until the last had ended, and the sum of their results.
func run(bodies ...func() int) (int64, int) {
	var ready, done sync.WaitGroup
	ready.Add(len(bodies))
	done.Add(len(bodies))
	begins := make([]time.Time, len(bodies))
	ends := make([]time.Time, len(bodies))
	sums := make([]int, len(bodies))
	for i, body := range bodies {
		go func(i int, body func() int) {
			defer done.Done()
			if locked {
				runtime.LockOSThread() // for good: the thread ends with it
				if len(cpus) > 0 {
					pin(cpus[i%len(cpus)])
				}
			}
			ready.Done()
			ready.Wait()
			begins[i] = time.Now()
			sums[i] = body()
			ends[i] = time.Now()
		}(i, body)
	}
	done.Wait()
	begin, end, sum := begins[0], ends[0], 0
	for i := range bodies {
		if begins[i].Before(begin) {
			begin = begins[i]
		}
		if ends[i].After(end) {
			end = ends[i]
		}
		sum += sums[i]
	}
	return end.Sub(begin).Nanoseconds(), sum
}

func check(right bool) {
	if !right {
		panic("wrong result")
	}
}

func stream(capacity, pairs, count int) int64 {
	channel := make(chan int, capacity)
	each := count / pairs
	var bodies []func() int
	for p := 0; p < pairs; p++ {
		bodies = append(bodies, func() int {
			for i := 1; i <= each; i++ {
				channel <- i
			}
			return 0
		}, func() int {
			sum := 0
			for i := 0; i < each; i++ {
				sum += <-channel
			}
			return sum
		})
	}
	ns, sum := run(bodies...)
	check(sum == pairs*(each*(each+1)/2))
	return ns
}

func roundTrip(count int) int64 {
	there := make(chan int, roundTripCapacity)
	back := make(chan int, roundTripCapacity)
	ns, _ := run(func() int {
		for i := 1; i <= count; i++ {
			there <- i
			check(<-back == i)
		}
		return 0
	}, func() int {
		for i := 0; i < count; i++ {
			back <- <-there
		}
		return 0
	})
	return ns
}

// Each side sleeps before it sends, as in harness.hpp.
func roundTripFromSleep(count int) float64 {
	there := make(chan int, roundTripCapacity)
	back := make(chan int, roundTripCapacity)
	var trips, held time.Duration
	run(func() int {
		for i := 1; i <= count; i++ {
			time.Sleep(hold)
			sent := time.Now()
			there <- i
			check(<-back == i)
			trips += time.Since(sent)
		}
		return 0
	}, func() int {
		for i := 0; i < count; i++ {
			number := <-there
			received := time.Now()
			time.Sleep(hold)
			held += time.Since(received)
			back <- number
		}
		return 0
	})
	return float64(trips-held) / float64(count)
}

func selectOfTwo(capacity, count int) int64 {
	first := make(chan int, capacity)
	second := make(chan int, capacity)
	ns, sum := run(func() int {
		for i := 1; i <= count; i += 2 {
			first <- i
			second <- i + 1
		}
		return 0
	}, func() int {
		sum := 0
		for i := 0; i < count; i++ {
			select {
			case number := <-first:
				sum += number
			case number := <-second:
				sum += number
			}
		}
		return sum
	})
	check(sum == count*(count+1)/2)
	return ns
}

// As measure() of harness.hpp.
func measure(budget int64, once func(count int) int64) float64 {
	count, best := 512.0, math.MaxFloat64
	var long []float64
	for {
		messages := (int(count)/256 + 1) * 256
		ns := float64(max(once(messages), 1))
		each := ns / float64(messages)
		best = min(best, each)
		if ns >= float64(budget)/2 {
			long = append(long, each)
			if each < 2*best {
				return each
			}
			if len(long) == 3 {
				break
			}
		}
		count = min(16*count, float64(budget)/best)
	}
	sort.Float64s(long)
	return long[1]
}

func measureScenario(name string, budget int64) (float64, bool) {
	if name == "roundtrip-idle" {
		return roundTripFromSleep(int(budget/idleTrip) + 1), true
	}
	if strings.HasPrefix(name, "roundtrip") {
		return measure(budget, roundTrip), true
	}
	capacity, err := strconv.Atoi(name[strings.LastIndex(name, "-")+1:])
	if err != nil {
		return 0, false
	}
	if strings.HasPrefix(name, "select") {
		return measure(budget, func(count int) int64 { return selectOfTwo(capacity, count) }), true
	}
	if !strings.HasPrefix(name, "stream") {
		return 0, false
	}
	pairs := 1
	if strings.HasPrefix(name, "stream-2p2c") {
		pairs = 2
	}
	return measure(budget, func(count int) int64 { return stream(capacity, pairs, count) }), true
}

func main() {
	locked = os.Args[1] == "locked"
	milliseconds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	placement := "unpinned"
	if os.Args[3] != "any" {
		for _, text := range strings.Split(os.Args[3], ",") {
			cpu, err := strconv.Atoi(text)
			if err != nil {
				panic(err)
			}
			cpus = append(cpus, cpu)
		}
		placement = "split"
		if cpus[0] == cpus[len(cpus)-1] {
			placement = "same"
		}
	}
	peer := "go"
	if locked {
		peer = "go-locked"
	} else if placement == "split" {
		return
	}
	for _, name := range os.Args[4:] {
		if ns, can := measureScenario(name, int64(milliseconds)*1e6); can {
			fmt.Printf("%s %s %s %.2f\n", peer, name, placement, ns)
		}
	}
}
