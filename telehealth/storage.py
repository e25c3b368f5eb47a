"""Static files under hashed names, so that they can be cached for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Also rewrites ``import "./x.js"`` inside ES modules to the hashed names."""

    support_js_module_import_aggregation = True
