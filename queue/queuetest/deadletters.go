package queuetest

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"cloudmirror/queue"
)

// manyLetters is more than a driver handles in one request.
const manyLetters = 25

func letterTests() []test {
	return []test{
		{name: "letters tell what was buried, and stay", run: lettersTell},
		{name: "letters are chosen by id, or limited", run: lettersChosen},
		{name: "the job of a redriven letter comes afresh", run: redriveLetter},
		{name: "a malformed letter is not redriven", run: redriveMalformed},
		{name: "a dropped letter is gone", run: dropLetter},
		{name: "an id that names no letter is told", run: unknownLetter},
		{name: "many letters are seen, redriven and dropped", run: manyAtOnce},
		{name: "two who redrive everything send each job once", run: twoOperators},
	}
}

func lettersTell(b *bench) {
	body := withUnknownField(b.job(1))
	b.SendRaw(b.t, body)
	b.SendRaw(b.t, "no job")
	for _, d := range b.receive(2) {
		b.extend(d, 0)
	}
	for _, d := range b.receive(2) {
		b.bury(d, "reason of "+d.Job.ID)
	}
	known, err := queue.DecodeJob([]byte(body))
	if err != nil {
		b.t.Fatal(err)
	}
	first := b.letters(queue.Choice{All: true})
	second := b.letters(queue.Choice{All: true})
	for i, l := range first {
		want := Dead{Body: body, Reason: "reason of job1"}
		if l.Malformed != nil {
			want = Dead{Body: "no job", Reason: "reason of "}
		}
		if l.ID == "" || l.Receives != 2 || l.BuriedAt.IsZero() || (Dead{Body: l.Body, Reason: l.Reason}) != want {
			b.t.Errorf("the letter is %+v, want %+v, received twice, with an id and a time", l, want)
		}
		if l.Malformed == nil && !reflect.DeepEqual(l.Job, known) || l.Malformed != nil && !errors.Is(l.Malformed, queue.ErrMalformed) {
			b.t.Errorf("the letter's job is %+v, malformed: %v", l.Job, l.Malformed)
		}
		if i >= len(second) || l.ID != second[i].ID || l.Body != second[i].Body {
			b.t.Errorf("the second look shows %+v, want the same letters again", second)
		}
	}
	if len(first) != 2 {
		b.t.Errorf("%d letters, want two", len(first))
	}
}

func lettersChosen(b *bench) {
	b.buryJobs(3)
	all := b.letters(queue.Choice{All: true})
	if len(all) != 3 {
		b.t.Fatalf("%d letters, want three", len(all))
	}
	for name, choice := range map[string]queue.Choice{
		"one id, and one that names nothing": {IDs: []string{all[1].ID, "nothing"}},
		"a limit":                            {All: true, Limit: 1},
	} {
		if got := b.letters(choice); len(got) != 1 || choice.IDs != nil && got[0].ID != all[1].ID {
			b.t.Errorf("by %s there are %+v, want one letter", name, got)
		}
	}
	if got := b.letters(queue.Choice{}); len(got) != 0 {
		b.t.Errorf("by no choice there are %+v, want none", got)
	}
}

func redriveLetter(b *bench) {
	job := b.job(1)
	job.Tries, job.Slow = 4, 3
	b.SendRaw(b.t, withUnknownField(job))
	b.bury(b.receiveOne(), "a reason")
	b.redrive(1, queue.Choice{All: true})
	d := b.receiveOne()
	want := b.job(1)
	want.Redriven = true
	want, err := queue.DecodeJob([]byte(withUnknownField(want)))
	if err != nil {
		b.t.Fatal(err)
	}
	if !reflect.DeepEqual(d.Job, want) || d.Receives != 1 || d.Unfit != nil {
		b.t.Errorf("received %+v, want the first receive of %+v", d, want)
	}
	if !strings.Contains(d.Body, unknownField) {
		b.t.Errorf("the body is %s, want the field kept that this version does not know", d.Body)
	}
	if c, want := b.counts(), (queue.Counts{InFlight: 1}); c != want {
		b.t.Errorf("counts are %+v, want %+v", c, want)
	}
}

func redriveMalformed(b *bench) {
	b.SendRaw(b.t, "no job")
	b.bury(b.receiveOne(), "a reason")
	handled, err := b.dead().Redrive(b.t.Context(), queue.Choice{All: true})
	if err != nil || len(handled) != 1 || !errors.Is(handled[0].Err, queue.ErrMalformed) {
		b.t.Errorf("the letters were handled as %+v, error %v, want one refused as malformed", handled, err)
	}
	b.receiveNone("though it was refused")
	if got := b.letters(queue.Choice{All: true}); len(got) != 1 || got[0].Body != "no job" {
		b.t.Errorf("the letters are %+v, want it still there", got)
	}
}

func dropLetter(b *bench) {
	b.buryJobs(2)
	all := b.letters(queue.Choice{All: true})
	b.handled(1, queue.Choice{IDs: []string{all[0].ID}}, b.dead().Drop)
	if left := b.letters(queue.Choice{All: true}); len(left) != 1 || left[0].ID != all[1].ID {
		b.t.Errorf("left are %+v, want the other one of %+v", left, all)
	}
	b.lapse()
	b.receiveNone("though it was dropped")
}

func unknownLetter(b *bench) {
	b.buryJobs(1)
	id := b.letters(queue.Choice{All: true})[0].ID
	for name, do := range map[string]handling{"redrive": b.dead().Redrive, "drop": b.dead().Drop} {
		handled, err := do(b.t.Context(), queue.Choice{IDs: []string{"nothing"}})
		if err != nil || len(handled) != 1 || handled[0].Letter.ID != "nothing" || !errors.Is(handled[0].Err, queue.ErrNoDeadLetter) {
			b.t.Errorf("%s handles %+v, error %v, want queue.ErrNoDeadLetter", name, handled, err)
		}
	}
	handled, err := b.dead().Redrive(b.t.Context(), queue.Choice{IDs: []string{"nothing", id}})
	slices.SortFunc(handled, func(x, y queue.Handled) int { return cmp.Compare(fmt.Sprint(x.Err), fmt.Sprint(y.Err)) })
	if err != nil || len(handled) != 2 || handled[0].Err != nil || handled[0].Letter.ID != id || !errors.Is(handled[1].Err, queue.ErrNoDeadLetter) {
		b.t.Errorf("handled are %+v, error %v, want one done and one not found", handled, err)
	}
}

func manyAtOnce(b *bench) {
	b.buryJobs(manyLetters)
	all := b.letters(queue.Choice{All: true})
	ids := make(map[string]bool)
	for _, l := range all {
		ids[l.ID] = true
	}
	if len(all) != manyLetters || len(ids) != manyLetters {
		b.t.Fatalf("%d letters with %d ids, want %d", len(all), len(ids), manyLetters)
	}
	some := []string{all[0].ID, all[manyLetters/2].ID, all[manyLetters-1].ID}
	b.redrive(3, queue.Choice{IDs: some})
	b.redrive(manyLetters-5, queue.Choice{All: true, Limit: manyLetters - 5})
	b.handled(2, queue.Choice{All: true}, b.dead().Drop)
	jobs := make(map[string]bool)
	for _, d := range b.receive(manyLetters - 2) {
		jobs[d.Job.ID] = true
		b.ack(d)
	}
	if c := b.counts(); len(jobs) != manyLetters-2 || c != (queue.Counts{}) {
		b.t.Errorf("%d jobs came, counts are %+v, want %d and nothing left", len(jobs), c, manyLetters-2)
	}
}

func twoOperators(b *bench) {
	b.buryJobs(manyLetters)
	var both sync.WaitGroup
	results := make([][]queue.Handled, 2)
	for i := range results {
		both.Go(func() {
			var err error
			if results[i], err = b.dead().Redrive(b.t.Context(), queue.Choice{All: true}); err != nil {
				b.t.Error(err)
			}
		})
	}
	both.Wait()
	done := make(map[string]int)
	for _, h := range slices.Concat(results...) {
		if h.Err == nil {
			done[h.Letter.ID]++
		}
	}
	for id, times := range done {
		if times != 1 {
			b.t.Errorf("the letter %s was redriven %d times", id, times)
		}
	}
	if c, want := b.counts(), (queue.Counts{Ready: manyLetters}); c != want || len(done) != manyLetters {
		b.t.Errorf("%d letters were redriven, counts are %+v, want %+v", len(done), c, want)
	}
}
