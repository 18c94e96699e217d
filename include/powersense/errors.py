"""Every error that PowerSense raises on purpose.

PowerSenseError
├── ConfigurationError            an option, file or manifest of this installation is wrong
│   ├── SourceDeclarationError    a declared source is wrong
│   └── MissingCredentialError    an upstream wants a key that its connection lacks
├── WindowError                   a run has no usable time window
├── WarehouseError
│   ├── WarehouseUnavailableError the server cannot be reached
│   ├── MigrationError            schema and migration files disagree
│   ├── BackupError               the warehouse could not be copied or brought back
│   └── LandingError              a batch cannot be landed, or what it landed is not there to be stored
├── SourceError                   an upstream did not give what it promised
│   ├── SourceUnavailableError    no answer, or a server error, after all retries
│   ├── RateLimitedError          quota used up
│   ├── SourceRequestError        it refused our request (4xx)
│   │   └── SourceNotFoundError   what we asked for is not there (404, 410)
│   └── MalformedResponseError    the answer is not what its type says
│       └── TruncatedExportError  the answer ends early
├── ForecastError
│   ├── ForecastInputError        what a forecast needs is missing or not as its contract says
│   └── ModelFileError            a stored model cannot be used: missing, corrupt, or of another model
├── DetectionError
│   ├── TrainingDataError         what a stream model shall learn from is not as its contract says
│   └── MessageNotScorableError   a feature message that no model can judge
├── FileLoadError                 a file of an ingestion cannot be loaded
│   ├── FileContentError          what the file holds is not what was declared; trying again cannot help
│   ├── FileChangedError          it was replaced or deleted between listing and reading
│   └── StoreError                the object store did not answer, or asked to slow down; trying again may help
│       └── StoreAccessError      it refused the credentials, or the bucket is not there; a person has to act
├── StreamError                   the broker does not take or give what it should
├── NotificationError             a target of alert notices did not take a message
└── LocalStackError               the local stack cannot start or keep running
    └── PortInUseError            a port it needs is taken
"""

from __future__ import annotations


class PowerSenseError(Exception):
    """Base of every deliberate error; messages name the field, the value and the remedy."""


class ConfigurationError(PowerSenseError):
    """An option, a file or a manifest of this installation is wrong."""


class SourceDeclarationError(ConfigurationError):
    """A source declared in the catalogue breaks the catalogue's contract."""


class MissingCredentialError(ConfigurationError):
    """An upstream wants a key, and its Airflow connection has none; names the connection."""


class WindowError(PowerSenseError):
    """A run has no usable time window."""


class WarehouseError(PowerSenseError):
    """ClickHouse answered, and the answer is a failure."""


class WarehouseUnavailableError(WarehouseError):
    """ClickHouse cannot be reached."""


class MigrationError(WarehouseError):
    """The stored schema and the migration files disagree."""


class BackupError(WarehouseError):
    """ClickHouse did not finish a backup or a restoring; names the backup and carries the server's answer."""


class LandingError(WarehouseError):
    """A batch cannot be landed, or what it landed is not there to be stored."""


class SourceError(PowerSenseError):
    """An upstream did not give what it promised."""


class SourceUnavailableError(SourceError):
    """No answer, or a server error, after all retries."""


class RateLimitedError(SourceError):
    """The upstream's quota is used up; the message carries its reset time.

    Attributes:
        retry_after_seconds: how long upstream asks to wait; None where it did not say.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class SourceRequestError(SourceError):
    """The upstream refused the request (4xx other than 429)."""


class SourceNotFoundError(SourceRequestError):
    """What we asked for is not there: a file that is not published, or no longer."""


class MalformedResponseError(SourceError):
    """The answer is not what its content type promises."""


class TruncatedExportError(MalformedResponseError):
    """The answer ends early, or holds fewer records than announced."""


class ForecastError(PowerSenseError):
    """A forecast cannot be made as asked."""


class ForecastInputError(ForecastError):
    """What a forecast needs is missing, or is not as its contract says."""


class ModelFileError(ForecastError):
    """A stored model cannot be used: missing, corrupt, or of another model, format or feature set."""


class DetectionError(PowerSenseError):
    """A stream model cannot do what it is asked."""


class TrainingDataError(DetectionError):
    """What a stream model shall learn from is not as its contract says; names the field, the value and the remedy."""


class MessageNotScorableError(DetectionError):
    """A feature message that no model can judge: too few of the model's features, or no model for its asset."""


class FileLoadError(PowerSenseError):
    """A file of a declared ingestion cannot be loaded; names the file and the remedy."""


class FileContentError(FileLoadError):
    """What a file holds is not what its ingestion declares: trying again cannot help.

    Attributes:
        first_bad_line: the record that shows it; empty where the whole file is wrong.
    """

    def __init__(self, message: str, *, first_bad_line: str = "") -> None:
        super().__init__(message)
        self.first_bad_line = first_bad_line


class FileChangedError(FileLoadError):
    """A file was replaced or deleted between its listing and the end of its reading."""


class StoreError(FileLoadError):
    """An object store did not answer, answered with a server error, or asked to slow down, after all retries."""


class StoreAccessError(StoreError):
    """An object store refused the credentials, or the bucket is not there: a person has to act."""


class StreamError(PowerSenseError):
    """The broker does not take or give what it should; names the topic and the setting of its address."""


class NotificationError(PowerSenseError):
    """A target of alert notices did not take a message; names the target, never its URL."""


class LocalStackError(PowerSenseError):
    """The local stack cannot start or keep running."""


class PortInUseError(LocalStackError):
    """A port that the local stack needs is taken; names the port and its variable."""
