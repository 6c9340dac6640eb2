// Package sqsprovision makes the two queues of a backend what package sqsqueue needs,
// and says what each role may do with them. It only plans, as provision.Resources;
// provision.Run applies.
package sqsprovision
