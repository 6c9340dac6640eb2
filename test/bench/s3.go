package main

import (
	"context"
	"fmt"
	"strings"

	"cloudmirror/test/lab"
)

const (
	goalS3Wall = 0.9 // of the better one of the programs of others
	goalS3CPU  = 0.8
	goalS3Peak = 0.8
)

// measureS3 copies a large object to S3, in turns with what people use for it.
func measureS3(ctx context.Context, l *laboratory) (result, error) {
	origin, url, err := l.startHugeOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	s3, err := l.startS3(ctx, l.memory)
	if err != nil {
		return result{}, err
	}
	defer s3.stop()
	var ours, rclone, aws usage
	for round := range l.rounds {
		turns := []func() error{
			func() error { return l.rclone(ctx, &rclone, s3, url) },
			func() error { return l.aws(ctx, &aws, s3, url) },
			func() error {
				serve, err := l.startConfigured(ctx, "serve", "", storageOn(s3.address))
				if err != nil {
					return err
				}
				return l.copyLarge(ctx, &ours, serve, url, l.hugeBytes)
			},
		}
		for i := range turns {
			if err := turns[(i+round)%len(turns)](); err != nil {
				return result{}, err
			}
			if err := emptyBucket(s3); err != nil {
				return result{}, err
			}
		}
	}
	size := fmt.Sprintf("%.0f MiB", mebibytes(l.hugeBytes))
	return result{
		goals: []goal{
			atMost("a copy of "+size+" to S3: time, of the better of rclone and aws", asRatio, goalS3Wall, ratios(ours.wall, lesser(rclone.wall, aws.wall))...),
			atMost("a copy of "+size+" to S3: CPU", asRatio, goalS3CPU, ratios(ours.cpu, lesser(rclone.cpu, aws.cpu))...),
			atMost("a copy of "+size+" to S3: memory", asRatio, goalS3Peak, ratios(ours.peak, lesser(rclone.peak, aws.peak))...),
		},
		text: fmt.Sprintf(`The same object of %s, which nginx sends as above, is copied to versitygw, with its files in %s, by a fresh `+"`cloudmirror serve`"+`, front end and copier in one process, and by two programs of Debian, with their defaults, but that rclone does not wait to be told to send its parts, which versitygw never does; %d rounds in turns. CPU and memory of the pipe are those of both of its programs. Each of the three numbers is compared with the better one of the two.

%s`, size, l.hugeFileSystem(), l.rounds, lab.Table(usageHead, [][]string{
			ours.row("`cloudmirror serve`", l.hugeBytes), rclone.row("`rclone copyurl`", l.hugeBytes), aws.row("`curl \\| aws s3 cp -`", l.hugeBytes),
		})),
	}, nil
}

func (l *laboratory) rclone(ctx context.Context, u *usage, s3 *process, url string) error {
	program, err := lab.Find("rclone", "apt-get install rclone")
	if err != nil {
		return err
	}
	var env []string
	for _, setting := range []string{
		"TYPE=s3", "PROVIDER=Other", "ENDPOINT=http://" + s3.address, "REGION=us-east-1", "FORCE_PATH_STYLE=true", "NO_CHECK_BUCKET=true",
		"ACCESS_KEY_ID=" + lab.AccessKey, "SECRET_ACCESS_KEY=" + lab.SecretKey,
	} {
		env = append(env, "RCLONE_CONFIG_S3_"+setting)
	}
	return l.runTools(ctx, u, strings.NewReplacer(url, "URL", s3.address, "ADDRESS"), tool{
		// Without the last of these rclone waits a second before each part: versitygw
		// does not tell it to go on.
		program: program, args: []string{"--config", "/dev/null", "--expect-continue-timeout", "0", "copyurl", url, "s3:copies/large.bin"}, env: env,
	})
}

func (l *laboratory) aws(ctx context.Context, u *usage, s3 *process, url string) error {
	curl, err := lab.Find("curl", "apt-get install curl")
	if err != nil {
		return err
	}
	aws, err := lab.Find("aws", "apt-get install awscli")
	if err != nil {
		return err
	}
	return l.runTools(
		ctx, u, strings.NewReplacer(url, "URL", s3.address, "ADDRESS"),
		tool{program: curl, args: []string{"--silent", "--fail", url}},
		tool{
			program: aws, args: []string{"--endpoint-url", "http://" + s3.address, "s3", "cp", "-", "s3://copies/large.bin"},
			env: append(lab.AWSEnv(), "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"),
		},
	)
}
