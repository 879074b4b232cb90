package qupath.lib.io

import groovy.json.JsonSlurper
import java.util.zip.GZIPInputStream
import qupath.lib.objects.PathObject

/** Reads objects as QuPath does: plain or gzipped GeoJSON by the file's name, nothing of another name. */
class PathIO {

    static List<PathObject> readObjects(File file) {
        def name = file.getName().toLowerCase()
        if (!(name ==~ /.*\.(geo)?json(\.gz)?/)) {
            return []
        }
        def stream = new FileInputStream(file)
        def text = (name.endsWith('.gz') ? new GZIPInputStream(stream) : stream).getText('UTF-8')
        return new JsonSlurper().parseText(text).features.collect { new PathObject(it) }
    }
}
