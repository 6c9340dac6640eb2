package memqueue

// SendRaw puts a message of any content into the queue.
func (q *Queue) SendRaw(body string) error { return q.send(body, 0) }
