"""Static files under hashed names, so that they can be cached for ever."""

from django.contrib.staticfiles.apps import StaticFilesConfig
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(StaticFilesConfig):
    """Leaves out htmx's extensions: no page uses them, and their comments name files that are not there."""

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "django_htmx/ext/*"]


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Also rewrites ``import "./x.js"`` inside ES modules, and the addresses of workers, to the hashed names."""

    support_js_module_import_aggregation = True
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "*.js",
            (
                (
                    r"""(?P<matched>new URL\("(?P<url>\./[^"]+)", import\.meta\.url\))""",
                    'new URL("%(url)s", import.meta.url)',
                ),
            ),
        ),
    )
