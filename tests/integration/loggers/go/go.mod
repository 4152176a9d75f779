module sluice.test/loggers

go 1.26.0

require (
	github.com/rs/zerolog v1.34.0
	github.com/sirupsen/logrus v1.10.1
	go.uber.org/zap v1.28.0
)

require (
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.19 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/sys v0.13.0 // indirect
)
